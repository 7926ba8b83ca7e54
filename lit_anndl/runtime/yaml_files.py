"""Configuration files as dictionaries; whatever else a file holds is refused in one line."""

from pathlib import Path
from typing import Any

import yaml

from lit_anndl.runtime.errors import InputError

_LARGEST_FILE = 1_000_000
"""Bytes."""
_LARGEST_CONTENT = 100_000
"""Values, each counted wherever an alias repeats it."""


def read_yaml(path: Path, what: str = "--config") -> dict[str, Any]:
    """The contents of a configuration file.

    Args:
        path: the file.
        what: what it is called in messages, before its path.

    Raises:
        InputError: it can't be read, is too large, or holds no mapping.
    """
    try:
        content = parse_yaml(read_text(path))
    except OSError as error:
        raise InputError(f"{what} {path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{what} {path} is not valid YAML: {' '.join(str(error).split())[:300]}") from error
    if content is None:
        raise InputError(f"{what} {path} is empty; expected settings as `key: value`")
    if not isinstance(content, dict):
        raise InputError(f"{what} {path}: expected settings as `key: value`, found {type(content).__name__}")
    return content


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        ValueError: it is larger than a configuration can be, or no UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise ValueError(f"it is larger than {_LARGEST_FILE} bytes")
    return content.decode()


def parse_yaml(text: str) -> Any:
    """What a YAML document says, None if it is empty; only plain values are made.

    Raises:
        yaml.YAMLError: it is no YAML, has tags, or aliases that multiply beyond `_LARGEST_CONTENT`.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if size(node, {}) > _LARGEST_CONTENT:
            raise yaml.YAMLError(f"it has more than {_LARGEST_CONTENT} values")
        return loader.construct_document(node)
    except (LookupError, AttributeError, ValueError) as error:  # tags that a value does not fit
        raise yaml.YAMLError(f"{type(error).__name__}: {error}") from error
    finally:
        loader.dispose()


def size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for; one that contains itself is larger than any."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = _LARGEST_CONTENT + 1  # until it is known: an alias of it within it
        below = (part for each in node.value for part in (each if isinstance(each, tuple) else (each,)))
        known[id(node)] = 1 + sum(size(each, known) for each in below)
    return known[id(node)]
