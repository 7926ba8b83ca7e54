"""What was measured, a line per row and seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from zlib import crc32

from lit_anndl.studies.definition import EXERCISE, Definition


@dataclass(frozen=True)
class Measurement:
    """One run of a row.

    Args:
        row: the row's name in the study, or `best`.
        seed: the run's.
        settings: a digest of the row's settings, see `settings_digest`.
        metrics: what it measured at its end, by name.
        seconds: of the fit.
        commit: of this project, of which the run was one.
        date: when it began, as 2026-01-31.
        processor: what it ran on.
        versions: of Python and torch.
    """

    row: str
    seed: int
    settings: str
    metrics: dict[str, float]
    seconds: float
    commit: str
    date: str
    processor: str
    versions: str


def settings_digest(definition: Definition, row: str) -> str:
    """What tells settings apart: eight hexadecimal digits of exercise, overrides and row, or space."""
    own = definition.table.get(row, definition.space)
    exercise = definition.exercise_of(own)
    settings = sorted((key, value) for key, value in own.items() if key != EXERCISE)
    return f"{crc32(repr([exercise, sorted(definition.fixed.items()), settings]).encode()):08x}"


def group(measurements: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    """Measurements by row."""
    found: dict[str, list[Measurement]] = {}
    for each in measurements:
        found.setdefault(each.row, []).append(each)
    return found


def values_of(measurements: Sequence[Measurement], metric: str) -> list[float]:
    """The values of a metric, of those that have it."""
    return [each.metrics[metric] for each in measurements if metric in each.metrics]


def seconds_of(measurements: Sequence[Measurement]) -> list[float]:
    """The seconds of fit, as far as they are known."""
    return [each.seconds for each in measurements if not isnan(each.seconds)]
