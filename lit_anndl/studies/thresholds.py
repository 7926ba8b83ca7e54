"""When the rows of a study stay below its thresholds: tables, and what is drawn of them."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from lit_anndl.plots.arrivals import Ranked
from lit_anndl.runtime.numbers import significant
from lit_anndl.runtime.records import Table
from lit_anndl.studies.convergence import Arrival, arrival, ranks
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.row_records import Records
from lit_anndl.studies.rows import spread

_UNITS = ("epochs", "seconds")
_COLUMNS = ("below", "row", "seeds", "reached", "epochs", "place by epochs", "seconds", "place by seconds")

_Arrivals = Mapping[float, Mapping[str, Arrival]]
"""For each threshold, the highest first, and each row, when the row's runs stay below it."""


def threshold_tables(definition: Definition, records: Records) -> Iterator[tuple[str, Table]]:
    """Metrics and tables: a line per row and threshold, median and range over the seeds, and the places."""
    for metric in definition.thresholds:
        yield metric, _table(_arrivals(definition, records, metric))


def threshold_panels(
    definition: Definition, records: Records
) -> Iterator[tuple[str, dict[str, dict[str, Ranked]], str]]:
    """Metrics, for each unit and threshold the rows with their places, and in words which row is first."""
    for metric in definition.thresholds:
        found = _arrivals(definition, records, metric)
        panels = {
            unit: {f"{metric} < {threshold:g}": _ranked(at, unit) for threshold, at in found.items()} for unit in _UNITS
        }
        yield metric, panels, "\n".join(_first_to_arrive(at, metric, threshold) for threshold, at in found.items())


def _arrivals(definition: Definition, records: Records, metric: str) -> _Arrivals:
    if not records:
        return {}
    return {
        threshold: {row: arrival(runs, metric, threshold) for row, runs in records.items()}
        for threshold in sorted(definition.thresholds[metric], reverse=True)
    }


def _ranked(at: Mapping[str, Arrival], unit: str) -> Ranked:
    """What each row took, and its place."""
    values = {row: getattr(each, unit) for row, each in at.items()}
    places = ranks(values)
    return {row: (values[row], places[row]) for row in values}


def _table(found: _Arrivals) -> Table:
    lines = []
    for threshold, at in found.items():
        by_epochs, by_seconds = (_ranked(at, unit) for unit in _UNITS)
        for row in at:
            (epochs, first), (seconds, second) = by_epochs[row], by_seconds[row]
            reached = sum(not math.isinf(count) for count in epochs)
            lines.append((threshold, row, len(epochs), reached, spread(epochs), first, spread(seconds), second))
    columns = zip(*lines, strict=True) if lines else [()] * len(_COLUMNS)
    return {heading: list(column) for heading, column in zip(_COLUMNS, columns, strict=True)}


def _first_to_arrive(at: Mapping[str, Arrival], metric: str, threshold: float) -> str:
    """In words, which row stays below a threshold first."""
    said = []
    for unit in _UNITS:
        ranked = _ranked(at, unit)
        if first := [row for row, (_, place) in ranked.items() if place == 1]:
            median = float(np.median(ranked[first[0]][0]))
            said.append(f"{' and '.join(first)} by {unit} ({significant(median, 3)})")
    return f"first to stay below {metric} {threshold:g}: {', '.join(said) or 'none'}"
