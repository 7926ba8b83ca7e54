"""What a recorded configuration may build: the store that it comes from may be a stranger's.

jsonargparse imports whatever a configuration names, by class, by a bare dotted name or in a file that it points to,
before it finds that the type does not fit. So a record is read as data first.
"""

import pkgutil
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml
from lightning.pytorch import Trainer

from lit_anndl.errors import InputError
from lit_anndl.layers import look_up
from lit_anndl.training.checkpoint import Checkpoint
from lit_anndl.training.early_stopping import EarlyStopping
from lit_anndl.yaml_files import parse_yaml

PACKAGES = ("lightning", "lit_anndl", "torch")
NEVER_RECORDED = ("trainer.callbacks", "trainer.logger", "trainer.plugins", "trainer.profiler")
"""Settings that stand for code of the user's own; of a record's only that there are none, or the defaults, is taken."""
WORD = re.compile(r"[\w:+,-]*")
"""Text that names no module; if it names no file either, nothing is read or imported for it."""
KEY = re.compile(r"[^\W\d]\w*")
"""jsonargparse takes `a.b` for a key within a, and `a+` for a list to be continued."""
TEXT = (str, Path, type(None))


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
    owners |= {"trainer": Trainer, "checkpoint": Checkpoint, "early_stopping": EarlyStopping}
    texts = {f"{part}.{name}" for part, owner in owners.items() for name in text_arguments(owner)}
    try:
        found = [*strings(record)]
    except ValueError as error:
        raise InputError(f"{whose}: {error}") from error
    for key in NEVER_RECORDED:
        for _, name in strings({"": look_up(record, key)}):
            refuse(key, name, own, whose)
    for key, value in found:
        of_class = key.endswith(".class_path")
        trusted = value.partition(".")[0] in PACKAGES if of_class else key in texts or is_harmless(value)
        if not trusted:
            refuse(key.removesuffix(".class_path"), value, own, whose)


def refuse(key: str, name: str, own: Collection[str], whose: str) -> None:
    """Refuses a name that the user has not given."""
    if name not in own:
        raise InputError(
            f"{whose} names {name} as {key}; a record may build classes of {', '.join(PACKAGES)} only: "
            f"if it is yours, give it again on the command line or with --config"
        )


def is_harmless(text: str) -> bool:
    """Whether text that a setting of any type is given as, a word or values in brackets, names nothing to be read."""
    value = read_value(text)
    if isinstance(value, str):
        return bool(WORD.fullmatch(value)) and not Path(value).is_file()
    try:
        return all(is_harmless(word) for _, word in strings(value))
    except ValueError:
        return False


def read_value(text: str) -> Any:
    """The values in brackets that text stands for, or the text."""
    try:
        return parse_yaml(text) if text.startswith(("{", "[")) else text
    except (yaml.YAMLError, RecursionError):
        return text


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """All text in a configuration, by dotted key without `init_args`.

    Raises:
        ValueError: a key is no name.
    """
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, below in value.items():
            if name and not KEY.fullmatch(str(name)):
                raise ValueError(f"{name} stands as a key where a name is expected")
            yield from strings(below, key if name == "init_args" else f"{key}.{name}".lstrip("."))
    elif isinstance(value, Iterable):
        for below in value:
            yield from strings(below, key)


def text_arguments(owner: type) -> set[str]:
    """The arguments of a class that are text, and so never taken for the name of something to import."""
    hints = get_type_hints(owner.__init__)  # type: ignore[misc]  # of the class itself, whatever it inherits
    return {name for name, hint in hints.items() if all(kind in TEXT for kind in get_args(hint) or (hint,))}


def words_of(options: Sequence[str], files: Iterable[Mapping[str, Any]]) -> set[str]:
    """All text that a user has typed, or written in files."""
    typed = {part for option in options for part in (option, option.partition("=")[2])}
    return typed | {text for part in (*files, *map(read_value, typed)) for text in texts_in(part)}


def texts_in(value: Any) -> Iterator[str]:
    """All text in what a user has written, whatever its keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Iterable):
        for below in value.values() if isinstance(value, Mapping) else value:
            yield from texts_in(below)
