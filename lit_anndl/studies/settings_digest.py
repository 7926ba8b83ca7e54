"""What tells the settings of measurements apart."""

from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

from lit_anndl.config.merge import named_settings
from lit_anndl.config.presets import preset
from lit_anndl.runtime.yaml_files import read_yaml
from lit_anndl.studies.definition import EXERCISE, Definition


def settings_digest(definition: Definition, row: str) -> str:
    """Eight hexadecimal digits of the settings of a row, or of a search: the exercise's preset, overrides and its own.

    Measurements of a row whose preset has changed since are told apart as well, unless the row, or the study, sets
    what has changed.
    """
    own = definition.table.get(row, definition.space)
    exercise = definition.exercise_of(own)
    settings = {**_settings_in(preset(exercise)), **definition.fixed, **own}
    ordered = sorted((key, value) for key, value in settings.items() if key != EXERCISE)
    return f"{crc32(repr([exercise, ordered]).encode()):08x}"


@cache
def _settings_in(file: Path) -> dict[str, Any]:
    """What a configuration file sets; many rows share one."""
    return named_settings(read_yaml(file))
