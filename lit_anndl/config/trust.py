"""What a recorded configuration may build: the project's own and the libraries', and what the user names again."""

import pkgutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

from lightning.pytorch import Trainer

from lit_anndl.config.command_line import CALLBACKS
from lit_anndl.config.merge import look_up
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.foreign import PACKAGES, is_trusted, read_value, strings

_NEVER_RECORDED = ("trainer.callbacks", "trainer.logger", "trainer.plugins", "trainer.profiler")
"""Settings that stand for code of the user's own; of a record's only that there are none, or the defaults, is taken."""
_TEXT = (str, Path, type(None))


def refuse_foreign(record: Mapping[str, Any], preset: Mapping[str, Any], own: Collection[str], whose: str) -> None:
    """Refuses a record that would build what is neither the project's nor a library's, before anything is imported.

    Args:
        record: a configuration from a store.
        preset: the exercise's own, whose classes are known.
        own: what the user has typed, or named in files of theirs: that is theirs to trust.
        whose: how messages begin.

    Raises:
        InputError: names it.
    """
    owners = {part: pkgutil.resolve_name(preset[part]["class_path"]) for part in ("model", "data")}
    owners |= {"trainer": Trainer, **CALLBACKS}
    texts = {f"{part}.{name}" for part, owner in owners.items() for name in _text_arguments(owner)}
    try:
        found = [*strings(record)]
    except ValueError as error:
        raise InputError(f"{whose}: {error}") from error
    for key in _NEVER_RECORDED:
        for _, name in strings({"": look_up(record, key)}):
            refuse(key, name, own, whose)
    for key, value in found:
        if key not in texts and not is_trusted(key, value):
            refuse(key.removesuffix(".class_path"), value, own, whose)


def refuse(key: str, name: str, own: Collection[str], whose: str) -> None:
    """Refuses a name that the user has not given."""
    if name not in own:
        raise InputError(
            f"{whose} names {name} as {key}; a record may build classes of {', '.join(PACKAGES)} only: "
            f"if it is yours, give it again on the command line or with --config"
        )


def _text_arguments(owner: type) -> set[str]:
    """The arguments of a class that are text, and so never taken for the name of something to import."""
    hints = get_type_hints(owner.__init__)  # type: ignore[misc]  # of the class itself, whatever it inherits
    return {name for name, hint in hints.items() if all(kind in _TEXT for kind in get_args(hint) or (hint,))}


def words_of(options: Sequence[str], files: Iterable[Mapping[str, Any]]) -> set[str]:
    """All text that a user has typed, or written in files."""
    typed = {part for option in options for part in (option, option.partition("=")[2])}
    return typed | {text for part in (*files, *map(read_value, typed)) for text in _texts_in(part)}


def _texts_in(value: Any) -> Iterator[str]:
    """All text in what a user has written, whatever its keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Iterable):
        for below in value.values() if isinstance(value, Mapping) else value:
            yield from _texts_in(below)
