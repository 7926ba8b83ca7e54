"""How commands end other than well. Each message is one line; commands print it without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """The user's input is wrong: says what was given and what was expected.

    Exit code 2; no run is created, nothing is written.
    """


class Unreachable(InputError):
    """The tracking store is away: the user gave an address that does not answer, or it will again in a moment."""


class RunFailure(RuntimeError):
    """A run cannot go on, for a reason that one line explains. Exit code 1; the run is FAILED."""

    run_id: str | None = None


class TakenOver(RunFailure):
    """Another process has gone on with a run, believing this one dead; nothing more of this one is recorded."""

    def __init__(self, run_id: str) -> None:
        super().__init__("another process has gone on with this run, believing this one dead; see that one's results")
        self.run_id = run_id


class LostConnection(RunFailure):
    """The processes that train a run together have lost each other."""


class Stopped(BaseException):
    """A run is to end before its time; no failure, so no Exception. The run is KILLED."""

    run_id: str | None = None


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Within it, wrong input is said to be of something, such as one file of several."""
    try:
        yield
    except Unreachable:
        raise
    except InputError as error:
        if what in str(error):
            raise
        raise InputError(f"{what}: {error}") from error


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
