"""An exercise's configuration: from preset, files and command line to validated values."""

import contextlib
import math
import pkgutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, Namespace
from lightning.pytorch.cli import LightningArgumentParser
from torch.optim import Optimizer

from lit_anndl.config.command_line import CommandLine, trainer_defaults
from lit_anndl.config.explain import explain
from lit_anndl.config.merge import merge, named_settings
from lit_anndl.config.options import Option, place_classes, short, split_argv
from lit_anndl.config.presets import preset as preset_file
from lit_anndl.modules.exercise import Exercise
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.yaml_files import read_yaml

CONDUCT = {"resume", "trainer.enable_progress_bar"}
"""Settings that no result depends on."""

_PARSER_ERRORS = (ArgumentError, ValueError, TypeError)


@dataclass(frozen=True)
class Configuration:
    """A validated configuration of one exercise; its name says what was asked for beyond the preset."""

    exercise: str
    parser: LightningArgumentParser
    values: Namespace
    name: str = ""

    @cached_property
    def yaml(self) -> str:
        """The text of a `--config` file that gives this configuration again."""
        values = self.values.clone()
        values.resume = None
        text: str = self.parser.dump(values, skip_unset=False, format="yaml")
        return text

    @cached_property
    def content(self) -> dict[str, Any]:
        """This configuration as plain data."""
        content: dict[str, Any] = yaml.safe_load(self.yaml)
        return content

    def settings(self) -> dict[str, Any]:
        """Every setting by its command-line name, such as `model.optimizer.lr`; classes by their short names."""
        return named_settings(self.content)

    def keys_under(self, prefix: str) -> list[str]:
        """The settings whose names begin with a prefix."""
        return [key for key in self.settings() if key.startswith(prefix)]

    def parameters(self, varied: Collection[str] = ()) -> dict[str, Any]:
        """The settings that runs are compared by: what is the project's own, and what was chosen of the libraries'.

        Left out are the Trainer's defaults and switches that are off in the optimizer. MLflow captions pictures with
        all of a run's parameters.

        Args:
            varied: settings that are wanted, whatever their values.
        """
        settings, usual = self.settings(), trainer_defaults()
        off = {
            key
            for key, value in settings.items()
            if key.rpartition(".")[0].endswith("optimizer") and (value is None or value is False)
        }
        left_out = {*CONDUCT, *off, *(key for key in usual if key in settings and settings[key] == usual[key])}
        return {key: value for key, value in settings.items() if key in varied or key not in left_out}

    @property
    def model_class(self) -> type[Exercise[Any]]:
        """The exercise's LightningModule."""
        found: type[Exercise[Any]] = pkgutil.resolve_name(self.values.model.class_path)
        return found

    @property
    def model_arguments(self) -> dict[str, Any]:
        """What the model is made with, as plain data."""
        return dict(self.content["model"].get("init_args") or {})

    @property
    def epochs(self) -> int | None:
        """How many epochs are asked for: `trainer.max_epochs`, or else what the model plans; None if neither says."""
        given: int | None = self.values.trainer.max_epochs
        return self.model_class.planned_epochs(self.model_arguments) if given is None else given

    def instantiate(self) -> Namespace:
        """Model, data and callbacks, built; they may raise InputError themselves."""
        objects: Namespace = self.parser.instantiate_classes(self.values)
        return objects


def parse(exercise: str, argv: Sequence[str], base: Mapping[str, Any] | None = None) -> Configuration:
    """The configuration of an exercise: a base, then the `--config` files, then the options.

    Files go below options in whatever order they were typed; of two values for one key the later counts.
    The base is the exercise's preset unless another is given.

    Raises:
        InputError: an unknown key (with the nearest valid one), a value that does not fit, an unreadable file.
        SystemExit: after `--help` or `--print_config` have printed what they are asked for.
    """
    files, options = split_argv(argv)
    preset = read_yaml(preset_file(exercise))
    base = reduce(merge, (read_yaml(Path(file)) for file in files), dict(preset if base is None else base))
    name = " ".join([exercise, *(Path(file).stem for file in files), *map(short, options)])
    base, options = place_classes(base, options)
    try:
        configuration = replace(_interpret(exercise, base, options), name=name)
    except _PARSER_ERRORS as error:
        optimizers = [cls.__name__ for cls in Optimizer.__subclasses__() if not cls.__name__.startswith("_")]
        raise InputError(explain(str(error), _known_settings(exercise, base, preset), optimizers)) from error
    _refuse_non_finite(configuration.settings())
    for part in ("model", "data"):
        given, expected = configuration.values[part].class_path, preset[part]["class_path"]
        if given != expected:
            raise InputError(f"{part}: {given} was given, expected {exercise}'s own, {expected}")
    return configuration


def _interpret(exercise: str, base: dict[str, Any], options: Sequence[Option] = ()) -> Configuration:
    """The configuration that options give on top of a base; raises what the parser raises."""
    command_line = CommandLine(base, [word for option in options for word in option])
    return Configuration(exercise, command_line.parser, command_line.config)


def _refuse_non_finite(settings: Mapping[str, Any]) -> None:
    """Refuses infinite numbers of the model and the data, and NaN: jsonargparse counts infinity among positive ones."""
    for key, value in settings.items():
        numbers = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, float)]
        if key.startswith(("model.", "data.")) and not all(map(math.isfinite, numbers)):
            raise InputError(f"{key}: {value} was given, expected finite numbers")


def _known_settings(exercise: str, *bases: dict[str, Any]) -> dict[str, Any]:
    """The settings of the first of the bases that is valid."""
    for base in bases:
        with contextlib.suppress(*_PARSER_ERRORS):
            return _interpret(exercise, base).settings()
    return {}
