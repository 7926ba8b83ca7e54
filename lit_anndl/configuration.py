"""Command-line words in, a validated configuration out."""

import contextlib
import pkgutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, reduce
from inspect import signature
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, Namespace
from jsonargparse.typing import PositiveInt
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from torch.optim import Optimizer

from lit_anndl import exercises
from lit_anndl.errors import InputError
from lit_anndl.explain import explain
from lit_anndl.layers import flatten, is_class, lay_over, look_up, nest
from lit_anndl.training.checkpoint import Checkpoint
from lit_anndl.training.early_stopping import EarlyStopping
from lit_anndl.training.exercise import Exercise
from lit_anndl.yaml_files import read_yaml

TRAINER_DEFAULTS = {
    "trainer.logger": True,
    "trainer.enable_progress_bar": True,
    "trainer.enable_checkpointing": True,
    "trainer.num_sanity_val_steps": 0,
    "trainer.log_every_n_steps": 1,
}

CONDUCT = {"resume", "trainer.enable_progress_bar"}
"""Settings that no result depends on."""

PARSER_ERRORS = (ArgumentError, ValueError, TypeError)

Option = tuple[str, ...]
"""An option as typed: `--key=value`, or `--key` and its values."""


class CommandLine(LightningCLI):
    """LightningCLI as a parser: it reads the configuration and leaves it to `run` to build from it.

    Args:
        base: the configuration that the options are laid over, as read from YAML.
        options: `--key=value` words.
    """

    def __init__(self, base: dict[str, Any], options: Sequence[str]) -> None:
        self.base = base
        super().__init__(
            LightningModule,
            LightningDataModule,
            save_config_callback=None,
            seed_everything_default=0,
            parser_kwargs={"exit_on_error": False, "allow_abbrev": False},
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=list(options),
            run=False,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds what a run has beside model, data and trainer."""
        parser.add_lightning_class_args(Checkpoint, "checkpoint")
        parser.add_lightning_class_args(EarlyStopping, "early_stopping")
        for argument in ("monitor", "mode"):
            parser.link_arguments(f"checkpoint.{argument}", f"early_stopping.{argument}")
        parser.add_argument(
            "--threads", type=PositiveInt | None, help="CPU threads (default: one for small nets, else all)"
        )
        parser.add_argument("--resume", type=str | None, metavar="RUN_ID", help="go on with an interrupted run")
        parser.set_defaults(TRAINER_DEFAULTS)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses the options on top of the base."""
        self.config = parser.parse_args(list(args or []), namespace=parser.parse_object(self.base))
        if not 0 <= (seed := self.config.seed_everything) < 2**32:
            raise ValueError(f"seed_everything: {seed} was given, expected a whole number from 0 to {2**32 - 1}")

    def instantiate_classes(self) -> None:
        """Nothing yet: `run` seeds first."""


@cache
def trainer_defaults() -> dict[str, Any]:
    """The Trainer's settings as they are when nobody gives others."""
    arguments = signature(Trainer).parameters.values()
    return {**{f"trainer.{each.name}": each.default for each in arguments}, **TRAINER_DEFAULTS}


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
        text: str = self.parser.dump(values, skip_none=False, format="yaml")
        return text

    def settings(self) -> dict[str, Any]:
        """Every setting by its command-line name, such as `model.optimizer.lr`; classes by their short names."""
        content = yaml.safe_load(self.yaml)
        flat = flatten(content)
        classes = [key for key in flat if is_class(look_up(content, key))]
        return {**flat, **{key: flat[key].rpartition(".")[2] for key in classes}}

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
            if key.startswith("model.optimizer.") and (value is None or value is False)
        }
        left_out = {*CONDUCT, *off, *(key for key in usual if key in settings and settings[key] == usual[key])}
        return {key: value for key, value in settings.items() if key in varied or key not in left_out}

    @property
    def model_class(self) -> type[Exercise]:
        """The exercise's LightningModule."""
        found: type[Exercise] = pkgutil.resolve_name(self.values.model.class_path)
        return found

    def instantiate(self) -> Namespace:
        """Model, data and callbacks, built; they may raise InputError themselves."""
        objects: Namespace = self.parser.instantiate_classes(self.values)
        return objects


def parse(exercise: str, words: Sequence[str], base: Mapping[str, Any] | None = None) -> Configuration:
    """The configuration of an exercise: a base, then the `--config` files, then the options.

    Files go below options in whatever order they were typed; of two values for one key the later counts.
    The base is the exercise's preset unless another is given.

    Raises:
        InputError: an unknown key (with the nearest valid one), a value that does not fit, an unreadable file.
        SystemExit: after `--help` or `--print_config` have printed what they are asked for.
    """
    files, options = split_words(words)
    preset = read_yaml(exercises.preset(exercise))
    base = reduce(lay_over, (read_yaml(Path(file)) for file in files), dict(preset if base is None else base))
    name = " ".join([exercise, *(Path(file).stem for file in files), *map(short, options)])
    base, options = place_classes(base, options)
    try:
        configuration = replace(interpret(exercise, base, options), name=name)
    except PARSER_ERRORS as error:
        optimizers = [cls.__name__ for cls in Optimizer.__subclasses__() if not cls.__name__.startswith("_")]
        raise InputError(explain(str(error), known_keys(exercise, base, preset), optimizers)) from error
    for part in ("model", "data"):
        given, expected = configuration.values[part].class_path, preset[part]["class_path"]
        if given != expected:
            raise InputError(f"{part}: {given} was given, expected {exercise}'s own, {expected}")
    return configuration


def print_help(exercise: str) -> None:
    """Prints the exercise's own settings with what they mean, then those that all exercises share."""
    preset = read_yaml(exercises.preset(exercise))
    for words in (
        [f"--model.help={preset['model']['class_path']}"],
        [f"--data.help={preset['data']['class_path']}"],
        ["--help"],
    ):
        with contextlib.suppress(SystemExit):
            CommandLine(preset, words)


def interpret(exercise: str, base: dict[str, Any], options: Sequence[Option] = ()) -> Configuration:
    """The configuration that options give on top of a base; raises what the parser raises."""
    command_line = CommandLine(base, [word for option in options for word in option])
    return Configuration(exercise, command_line.parser, command_line.config)


def known_keys(exercise: str, *bases: dict[str, Any]) -> list[str]:
    """The keys of the first of the bases that is valid."""
    for base in bases:
        with contextlib.suppress(*PARSER_ERRORS):
            return list(interpret(exercise, base).settings())
    return []


def split_words(words: Sequence[str]) -> tuple[list[str], list[Option]]:
    """The `--config` files, and the other options, each with its values; `--print_config` comes last."""
    options: list[Option] = []
    for word in words:
        if word.startswith("--") or not options:
            options.append((word,))
        else:
            options[-1] = (*options[-1], word)
    for option in options:
        if not option[0].startswith("--"):
            raise InputError(f"{option[0]}: not expected here; settings are given as --key value")
        if not values(option) and not any(is_option(option, flag) for flag in ("print_config", "help")):
            raise InputError(f"{option[0]}: a value is expected after it")
    files = [value for option in options if is_option(option, "config") for value in values(option)]
    others = [option for option in options if not is_option(option, "config")]
    return files, sorted(others, key=lambda option: is_option(option, "print_config"))


def option_value(words: Sequence[str], key: str) -> str | None:
    """The last value typed for an option, None if it was not typed."""
    given = [value for option in split_words(words)[1] if is_option(option, key) for value in values(option)]
    return given[-1] if given else None


def place_classes(base: dict[str, Any], options: list[Option]) -> tuple[dict[str, Any], list[Option]]:
    """Moves options that name a class into the base, so that the arguments of the class before do not outlive it.

    jsonargparse would keep those whose names agree: Adam's learning rate for SGD.
    """
    others = []
    for option in options:
        key, given = option[0].lstrip("-").partition("=")[0], values(option)
        if len(given) == 1 and is_class(look_up(base, key)) and given[0].replace(".", "").isidentifier():
            base = lay_over(base, nest(key, given[0]))
        else:
            others.append(option)
    return base, others


def is_option(option: Option, key: str) -> bool:
    """Whether an option as typed is that of a key."""
    return option[0].partition("=")[0] == f"--{key}"


def short(option: Option) -> str:
    """An option without the path to it: lr=0.1, seed=3."""
    key = option[0].partition("=")[0].rpartition(".")[2].lstrip("-").replace("seed_everything", "seed")
    return f"{key}={' '.join(values(option))}"


def values(option: Option) -> list[str]:
    """The values typed for an option."""
    _, sign, value = option[0].partition("=")
    return [*([value] if sign else []), *option[1:]]
