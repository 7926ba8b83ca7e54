"""What an exercise's --help says: its own settings on a screen or two, or all that there are."""

import contextlib
import json
import pkgutil
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from docstring_parser import parse as parse_docstring

from lit_anndl.config import presets
from lit_anndl.config.command_line import CALLBACKS, CommandLine
from lit_anndl.config.configuration import Configuration, parse
from lit_anndl.config.merge import is_class, look_up
from lit_anndl.runtime.yaml_files import read_yaml

_OF_ALL = {
    "trainer.max_epochs": "passes over the training data",
    "seed_everything": "of the random numbers: weights, noise, order of the examples",
    "threads": "CPU threads; null for one with small nets, all with others",
    "trainer.accelerator": "auto, cpu or gpu",
    "trainer.gradient_clip_val": "bound on the norm of the gradients",
}
"""What every exercise has, and most users want."""
_OF_CALLBACKS = (
    "checkpoint.monitor",
    "checkpoint.mode",
    "early_stopping.patience",
    "early_stopping.min_delta",
    "weight_averaging.decay",
)
_SETTING_WIDTH = 44


def help_text(exercise: str) -> str:
    """The exercise, its settings with the preset's values and what they mean, its metrics; the rest by --help=all."""
    configuration = parse(exercise, [])
    model = configuration.model_class
    blocks = [
        f"usage: python -m lit_anndl.fit {exercise} [--key value …] [--config FILE] [--resume RUN_ID]",
        presets.summary(exercise),
        *("\n".join(block) for block in _sections(configuration)),
        "\n".join(_wrapped("metrics:", ", ".join((*model.metrics(), *model.summaries())))),
        f"All settings, those of the Trainer and the optimizer too: python -m lit_anndl.fit {exercise} --help=all",
    ]
    return "\n\n".join(blocks)


def print_all(exercise: str) -> None:
    """Prints the exercise's own settings as its classes describe them, then those that all exercises share."""
    preset = read_yaml(presets.preset(exercise))
    for argv in (
        [f"--model.help={preset['model']['class_path']}"],
        [f"--data.help={preset['data']['class_path']}"],
        ["--help"],
    ):
        with contextlib.suppress(SystemExit):
            CommandLine(preset, argv)


def _sections(configuration: Configuration) -> Iterator[list[str]]:
    """A block of lines each for the model, the data, and training."""
    settings = configuration.parameters()
    for part in ("model", "data"):
        own = {key: value for key, value in settings.items() if key.startswith(f"{part}.")}
        yield [f"{part}:", *(line for key in own for line in _entry(key, own[key], _meaning(configuration, key)))]
    meanings = {**_OF_ALL, **_callback_meanings()}
    values = configuration.settings()
    if values["trainer.max_epochs"] is None and configuration.epochs:
        meanings["trainer.max_epochs"] += f"; null for as many as the model plans, {configuration.epochs} as it is"
    yield ["training:", *(line for key, said in meanings.items() for line in _entry(key, values.get(key), said))]


def _entry(key: str, value: Any, meaning: str) -> list[str]:
    """A setting: its option with the preset's value, and what it means."""
    shown = value if isinstance(value, str) else json.dumps(value, default=str)
    return _wrapped(f"--{key} {shown}", meaning)


def _wrapped(left: str, right: str) -> list[str]:
    """Two columns, as wide as the terminal; a left one that is too long has a line of its own."""
    width = max(80, min(140, shutil.get_terminal_size((120, 24)).columns))
    lines = textwrap.wrap(right, width - _SETTING_WIDTH - 4, break_on_hyphens=False) or [""]
    if len(left) > _SETTING_WIDTH:
        return [f"  {left}", *(f"  {'':{_SETTING_WIDTH}}  {line}" for line in lines if line)]
    first, *others = lines
    return [f"  {left:{_SETTING_WIDTH}}  {first}".rstrip(), *(f"  {'':{_SETTING_WIDTH}}  {line}" for line in others)]


def _meaning(configuration: Configuration, key: str) -> str:
    """What the class that a setting belongs to says of it."""
    above, _, name = key.rpartition(".")
    described = look_up(configuration.content, above)
    return _meanings(described["class_path"]).get(name, "") if is_class(described) else ""


def _meanings(class_path: str) -> Mapping[str, str]:
    """What a class and its bases say of their arguments, in a sentence each."""
    found: dict[str, str] = {}
    for cls in reversed(pkgutil.resolve_name(class_path).__mro__):
        for parameter in parse_docstring(cls.__doc__ or "").params:
            found[parameter.arg_name] = _first_sentence(parameter.description or "")
    return found


def _callback_meanings() -> dict[str, str]:
    """What may be set of the callbacks."""
    found = {part: _meanings(f"{cls.__module__}.{cls.__name__}") for part, cls in CALLBACKS.items()}
    return {key: found[key.partition(".")[0]].get(key.partition(".")[2], "") for key in _OF_CALLBACKS}


def _first_sentence(text: str) -> str:
    """The text up to its first full stop, in one line."""
    line = " ".join(text.split())
    return line.partition(". ")[0].rstrip(".")
