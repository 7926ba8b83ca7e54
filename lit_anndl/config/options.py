"""The options of a command line as typed: which are files, which values they have, which name classes."""

from collections.abc import Sequence
from typing import Any

from lit_anndl.config.merge import is_class, look_up, merge, nest
from lit_anndl.runtime.errors import InputError

Option = tuple[str, ...]
"""An option as typed: `--key=value`, or `--key` and its values."""


def split_argv(argv: Sequence[str]) -> tuple[list[str], list[Option]]:
    """The `--config` files, and the other options, each with its values; `--print_config` comes last."""
    options: list[Option] = []
    for word in argv:
        if word.startswith("--") or not options:
            options.append((word,))
        else:
            options[-1] = (*options[-1], word)
    for option in options:
        if not option[0].startswith("--"):
            raise InputError(f"{option[0]}: not expected here; settings are given as --key value")
        if not values(option) and not any(_is_option(option, flag) for flag in ("print_config", "help")):
            raise InputError(f"{option[0]}: a value is expected after it")
    files = [value for option in options if _is_option(option, "config") for value in values(option)]
    others = [option for option in options if not _is_option(option, "config")]
    return files, sorted(others, key=lambda option: _is_option(option, "print_config"))


def option_value(argv: Sequence[str], key: str) -> str | None:
    """The last value typed for an option, None if it was not typed."""
    given = [value for option in split_argv(argv)[1] if _is_option(option, key) for value in values(option)]
    return given[-1] if given else None


def place_classes(base: dict[str, Any], options: list[Option]) -> tuple[dict[str, Any], list[Option]]:
    """Moves options that name a class into the base, so that the arguments of the class before do not outlive it.

    jsonargparse would keep those whose names agree: Adam's learning rate for SGD.
    """
    others = []
    for option in options:
        key, given = option[0].lstrip("-").partition("=")[0], values(option)
        if len(given) == 1 and is_class(look_up(base, key)) and given[0].replace(".", "").isidentifier():
            base = merge(base, nest(key, None if given[0] == "null" else given[0]))
        else:
            others.append(option)
    return base, others


def short(option: Option) -> str:
    """An option without the path to it: lr=0.1, seed=3."""
    key = option[0].partition("=")[0].rpartition(".")[2].lstrip("-").replace("seed_everything", "seed")
    return f"{key}={' '.join(values(option))}"


def _is_option(option: Option, key: str) -> bool:
    """Whether an option as typed is that of a key."""
    return option[0].partition("=")[0] == f"--{key}"


def values(option: Option) -> list[str]:
    """The values typed for an option."""
    _, sign, value = option[0].partition("=")
    return [*([value] if sign else []), *option[1:]]
