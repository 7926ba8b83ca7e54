"""What a trial sets, as the command and as the file that run it again."""

import shlex
from functools import reduce
from typing import Any

import yaml
from optuna.trial import FrozenTrial

from lit_anndl.config.merge import merge, nest
from lit_anndl.studies.definition import EXERCISE, Definition
from lit_anndl.studies.space import Overrides


def overrides(definition: Definition, trial: FrozenTrial) -> Overrides:
    """All that a trial sets, seed aside."""
    row = trial.user_attrs.get("row")
    return {**definition.fixed, **(trial.user_attrs["overrides"] if row else trial.params)}


def fit_command(definition: Definition, settings: Overrides) -> str:
    """The command that runs these settings."""
    argv = definition.argv(settings, definition.seeds[0])
    return shlex.join(["python", "-m", "lit_anndl.fit", definition.exercise_of(settings), *argv])


def fit_file(definition: Definition, settings: Overrides) -> str:
    """The text of a `--config` file with these settings, and the first seed."""
    layer = {
        "seed_everything": definition.seeds[0],
        **_layer({key: value for key, value in settings.items() if key != EXERCISE}),
    }
    return yaml.safe_dump(layer, sort_keys=False)


def _layer(settings: Overrides) -> dict[str, Any]:
    """Settings as a `--config` file holds them; a class's arguments come after its name."""
    nothing: dict[str, Any] = {}
    return reduce(merge, (nest(key, settings[key]) for key in sorted(settings)), nothing)
