"""The one exception that means: what the user asked for cannot be done as given."""


class InputError(ValueError):
    """The user's input is wrong.

    The message is one line that says what was given and what was expected. Commands print it and exit with 2;
    no run is created, nothing is written.
    """
