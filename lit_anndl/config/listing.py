"""The exercises as the command line names them."""

from difflib import get_close_matches

from lit_anndl.config import presets
from lit_anndl.runtime.errors import InputError


def listing() -> str:
    """Each exercise and a line on it, by session."""
    width = max(len(name) for name in presets.names())
    groups = [
        "\n".join([title, *(f"  {name:{width}}  {presets.summary(name)}" for name in names)])
        for title, names in presets.by_session().items()
    ]
    return "\n\n".join(groups)


def exercise_named(word: str) -> str:
    """The exercise of that name.

    Raises:
        InputError: there is none; says which is nearest.
    """
    names = presets.names()
    if word in names:
        return word
    if word.startswith("-"):
        raise InputError(f"the exercise comes first, before {word}; --list has their names")
    nearest = get_close_matches(word, names, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]}?" if nearest else "--list has their names"
    raise InputError(f"there is no exercise {word}; {hint}")
