"""A study's definition from its file, with options of the command line laid over it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from lit_anndl.config.explain import explain, unknown_key
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.yaml_files import read_yaml
from lit_anndl.studies.definition import Definition, Slurm

_KEYS = [each.name for each in fields(Definition)] + [f"slurm.{each.name}" for each in fields(Slurm)]


def read_definition(path: Path, argv: Sequence[str] = ()) -> Definition:
    """The study of a file, with options (`--key value`) laid over it.

    Raises:
        InputError: the file cannot be read, has unknown keys, or values that do not fit.
    """
    return parse_definition({"name": path.stem, **read_yaml(path, "study file")}, argv)


def parse_definition(content: dict[str, Any], argv: Sequence[str] = ()) -> Definition:
    """The study that a file's content describes, with options laid over it."""
    known = [each.name for each in fields(Definition)]
    for key in content:
        if isinstance(key, str) and key not in known:
            raise InputError(unknown_key(key, known))
    parser = make_parser()
    try:
        values = parser.parse_args(list(argv), namespace=parser.parse_object(content))
    except (ArgumentError, ValueError, TypeError) as error:
        raise InputError(explain(str(error), _KEYS)) from error
    _refuse_nulls(Definition, vars(values))
    _refuse_nulls(Slurm, vars(values.slurm), "slurm.")
    plain = {"seeds": list(map(int, values.seeds)), "slurm": Slurm(**vars(values.slurm))}
    definition = Definition(**{**vars(values), **plain})
    _refuse_other_keys(asdict(definition))
    return definition


def changed_by(definition: Definition, argv: Sequence[str]) -> Definition:
    """A study that is kept, with options laid over it."""
    return parse_definition(yaml.safe_load(definition.text), argv)


def _refuse_nulls(kind: type[Definition | Slurm], values: Mapping[str, Any], above: str = "") -> None:
    """Raises InputError at the first null that is no default; the parser lets them pass."""
    for each in fields(kind):
        if values[each.name] is None and each.default is not None:
            raise InputError(f"{above}{each.name}: null was given; give a value, or leave it out")


def _refuse_other_keys(content: Mapping[Any, Any], above: str = "") -> None:
    """Raises InputError at the first key that is no text: YAML reads numbers, dates, yes and no as what they mean."""
    for key, value in content.items():
        if not isinstance(key, str):
            raise InputError(f"{above or key}: {key} was given as a key, expected text, if need be in quotes")
        if isinstance(value, Mapping):
            _refuse_other_keys(value, f"{above}.{key}".lstrip("."))


def make_parser() -> ArgumentParser:
    """A parser of everything that a study file holds."""
    parser = ArgumentParser(prog="python -m lit_anndl.sweep STUDY.yaml", exit_on_error=False, allow_abbrev=False)
    parser.add_class_arguments(Definition)
    return parser
