"""What tells the settings of measurements apart."""

from collections.abc import Mapping
from functools import reduce
from zlib import crc32

from lit_anndl.config.merge import ConfigDict, merge, named_settings, nest
from lit_anndl.config.presets import preset
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.yaml_files import read_yaml
from lit_anndl.studies.definition import EXERCISE, Definition


def settings_digests(definition: Definition) -> dict[str, str]:
    """Eight hexadecimal digits of the settings of each row: preset, overrides and the row's own; or of a search.

    Those of a search are of the preset, overrides, the space, and what is sought in it: the metric and its direction.

    Where the preset has changed since something was measured, it was measured with other settings, unless the row or
    the study's overrides set what has changed.
    """
    presets = {exercise: read_yaml(preset(exercise)) for exercise in definition.exercises}
    return {row: _digest(definition, row, presets) for row in definition.row_names}


def _digest(definition: Definition, row: str, presets: Mapping[str, ConfigDict]) -> str:
    own = definition.table.get(row, {})
    exercise = definition.exercise_of(own)
    given = sorted({**definition.fixed, **own}.items())  # a class before its arguments, wherever a file has them
    overrides = [nest(key, value) for key, value in given if key != EXERCISE]
    settings = named_settings(reduce(merge, overrides, presets[exercise]))
    settings.pop("seed_everything", None)  # each run of a study has its own
    sought = [definition.metric, definition.direction] if definition.space else []
    told = [exercise, sorted(settings.items()), sorted(definition.space.items()), *sought]
    return f"{crc32(repr(told).encode()):08x}"


def refuse_other_settings(before: Mapping[str, str], now: Mapping[str, str], name: str) -> None:
    """Refuses to go on with a study whose presets have changed.

    Args:
        before: the digests that it was begun with, by row.
        now: those that it has by now.
        name: of the study.

    Raises:
        InputError: a row has other settings than before.
    """
    changed = [row for row in before if now.get(row) != before[row]]
    if changed:
        raise InputError(
            f"study {name} was begun with another preset of its exercise (row {changed[0]}); give it a new --name"
        )
