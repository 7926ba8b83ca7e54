"""What was measured, a line per row and seed."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan

from lit_anndl.studies.definition import Definition
from lit_anndl.studies.settings_digest import settings_digests

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measurement:
    """One run of a row.

    Args:
        row: the row's name in the study, or `best`.
        seed: the run's.
        settings: a digest of the row's settings, see `lit_anndl.studies.settings_digest`.
        metrics: what it measured at its end, by name.
        seconds: of the fit.
        commit: of this project, of which the run was one.
        date: when it began, as 2026-01-31.
        processor: what it ran on.
        versions: of Python and torch.
        chosen: what a search has chosen, settings by dotted name; empty for a row.
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
    chosen: str = ""


def without_stale(measurements: Sequence[Measurement], definition: Definition, where: object) -> list[Measurement]:
    """The measurements of settings that the study has by now; of others a warning says where they are."""
    digests = settings_digests(definition)
    stale = [f"{each.row} (seed {each.seed})" for each in measurements if each.settings != digests[each.row]]
    if stale:
        _log.warning("%s: measured with other settings than the study has, so left out: %s", where, ", ".join(stale))
    return [each for each in measurements if each.settings == digests[each.row]]


def in_order(measurements: Iterable[Measurement], definition: Definition) -> list[Measurement]:
    """Measurements in the order of the study's rows, and of their seeds."""
    rows = {row: place for place, row in enumerate(definition.row_names)}
    return sorted(measurements, key=lambda each: (rows[each.row], each.seed))


def group(measurements: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    """Measurements by row."""
    found: dict[str, list[Measurement]] = {}
    for each in measurements:
        found.setdefault(each.row, []).append(each)
    return found


def of_tested_weights(metrics: Mapping[str, float]) -> dict[str, float]:
    """The finite ones of a run; where early stopping has kept the best weights, theirs, `best/…` in the store."""
    known = {name: value for name, value in metrics.items() if isfinite(value)}
    return {name: known.get(f"best/{name}", value) for name, value in known.items()}


def values_of(measurements: Sequence[Measurement], metric: str) -> list[float]:
    """The values of a metric, of those that have it."""
    return [each.metrics[metric] for each in measurements if metric in each.metrics]


def seconds_of(measurements: Sequence[Measurement]) -> list[float]:
    """The seconds of fit, as far as they are known."""
    return [each.seconds for each in measurements if not isnan(each.seconds)]
