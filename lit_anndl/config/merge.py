"""Configurations as nested dictionaries: laid over one another, looked up and flattened.

A class in a configuration is a dictionary `{class_path: …, init_args: {…}}`. Keys leave `init_args` out, as on the
command line: `model.optimizer.lr`.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any

ConfigDict = Mapping[str, Any]


def merge(base: ConfigDict, top: ConfigDict) -> dict[str, Any]:
    """The base with the values of top in place of its own; a class that top replaces takes its arguments with it."""
    if is_class(base):
        top = top if top.keys() & {"class_path", "init_args"} else {"init_args": top}
        if not same_class(base["class_path"], top.get("class_path", base["class_path"])):
            return {"init_args": {}, **top}
    return {**base, **{key: replaced(base.get(key), value) for key, value in top.items()}}


def replaced(below: Any, value: Any) -> Any:
    """What stands at a key after a value was laid over what stood below; a class may be given by its name alone."""
    if is_class(below) and isinstance(value, str):
        value = {"class_path": value}
    if isinstance(below, str) and isinstance(value, Mapping):  # `optimizer: SGD`, then `optimizer.lr: 0.1`
        below = {"class_path": below}
    return merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value


def look_up(config: ConfigDict, key: str) -> Any:
    """The value at a dotted key, None where there is none."""
    for part in key.split("."):
        config = config.get("init_args", {}) if is_class(config) else config
        if not isinstance(config, Mapping) or part not in config:
            return None
        config = config[part]
    return config


def nest(key: str, value: Any) -> ConfigDict:
    """A value under its dotted key: ("a.b", 1) gives {"a": {"b": 1}}."""
    return reduce(lambda below, part: {part: below}, reversed(key.split(".")), value)


def flatten(config: ConfigDict, prefix: str = "") -> dict[str, Any]:
    """Settings by dotted key; a class stands at its own key, its arguments below."""
    flat: dict[str, Any] = {}
    if is_class(config):
        flat[prefix.removesuffix(".")] = config["class_path"]
        config = config.get("init_args") or {}
    for key, value in config.items():
        flat.update(flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value})
    return flat


def named_settings(config: ConfigDict) -> dict[str, Any]:
    """Every setting by its command-line name, such as `model.optimizer.lr`; classes by their short names."""
    flat = flatten(config)
    classes = [key for key in flat if is_class(look_up(config, key))]
    return {**flat, **{key: flat[key].rpartition(".")[2] for key in classes}}


def is_class(value: Any) -> bool:
    """Whether a configuration value stands for an object of a class."""
    return isinstance(value, Mapping) and "class_path" in value


def same_class(path: Any, other: Any) -> bool:
    """Whether two names, full or short, mean the same class; what is no name is the parser's to refuse."""
    path, other = str(path), str(other)
    short = "." not in path or "." not in other
    return path == other or (short and path.rpartition(".")[2] == other.rpartition(".")[2])
