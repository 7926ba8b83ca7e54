"""Which text in recorded values may be read: the store that they come from may be a stranger's.

jsonargparse imports whatever a configuration names, by class, by a bare dotted name or in a file that it points to,
before it finds that the type does not fit. So a record is read as data first.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lit_anndl.runtime.yaml_files import parse_yaml

PACKAGES = ("lightning", "lit_anndl", "torch")
_WORD = re.compile(r"[\w:+,-]*")
"""Text that names no module; if it names no file either, nothing is read or imported for it."""
_KEY = re.compile(r"[^\W\d]\w*")
"""jsonargparse takes `a.b` for a key within a, and `a+` for a list to be continued."""


def foreign_class(recorded: Mapping[str, Any]) -> str | None:
    """The first thing that recorded settings would import or read and that is none of PACKAGES', if there is any.

    Raises:
        ValueError: a key is no name.
    """
    return next((value for key, value in strings(recorded) if not is_trusted(key, value)), None)


def is_trusted(key: str, value: str) -> bool:
    """Whether text at a key names a class of PACKAGES, or nothing to be imported or read."""
    return value.partition(".")[0] in PACKAGES if key.endswith("class_path") else _is_harmless(value)


def _is_harmless(text: str) -> bool:
    """Whether text that a setting of any type is given as, a word or values in brackets, names nothing to be read."""
    value = read_value(text)
    if isinstance(value, str):
        return bool(_WORD.fullmatch(value)) and not Path(value).is_file()
    try:
        return all(_is_harmless(word) for _, word in strings(value))
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
            if name and not _KEY.fullmatch(str(name)):
                raise ValueError(f"{name} stands as a key where a name is expected")
            yield from strings(below, key if name == "init_args" else f"{key}.{name}".lstrip("."))
    elif isinstance(value, Iterable):
        for below in value:
            yield from strings(below, key)
