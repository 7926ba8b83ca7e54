"""The rows of a study side by side: values, learning curves, convergence, tables over each other, figures."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial

from lit_anndl.plots.arrivals import arrivals
from lit_anndl.plots.bands import Curve, learning_curves, overlay
from lit_anndl.plots.gallery import gallery
from lit_anndl.plots.published import values_by_row
from lit_anndl.plots.trade_off import trade_off
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.row_records import Records, curve_metrics, read_pictures, read_tables
from lit_anndl.studies.rows import metric_of_rows, values_of_rows
from lit_anndl.studies.thresholds import threshold_panels
from lit_anndl.tracking.run_records import Record
from lit_anndl.tracking.store import TrackingStore

_FEWEST_EPOCHS = 2
"""What a curve needs."""


def row_figures(
    definition: Definition, trials: list[FrozenTrial], records: Records, store: TrackingStore
) -> Iterator[tuple[str, Figure]]:
    """Names and figures."""
    title = f"{definition.name}: a dot per seed, a bar at the median"
    yield "rows", values_by_row(values_of_rows(definition, trials), definition.metric, title=title)
    for metric in curve_metrics(definition):
        if panels := _facets(definition, records, metric):
            yield f"curves_{as_name(metric)}", learning_curves(panels, metric, definition.name)
    for metric, counts, first in threshold_panels(definition, records):
        yield f"convergence_{as_name(metric)}", arrivals(counts, first)
    costs = {cost: metric_of_rows(definition, trials, cost) for cost in definition.costs}
    if found := {cost: by_row for cost, by_row in costs.items() if by_row}:
        yield "costs", trade_off(found, values_of_rows(definition, trials), definition.metric, definition.name)
    for name in definition.overlays:
        if tables := read_tables(definition, trials, store, name):
            yield f"overlay_{name}", overlay(tables, f"{definition.name}: {name}", definition.overlays_together)
    if definition.gallery and (pictures := read_pictures(definition, trials, store)):
        yield "gallery", gallery(pictures, f"{definition.name}: {', '.join(definition.gallery)}, first seed")


def as_name(metric: str) -> str:
    """A metric as part of a file's name."""
    return metric.replace("/", "_")


def _facets(definition: Definition, records: Records, metric: str) -> dict[str, dict[str, Curve]]:
    """The rows' curves of a metric, by the values of the settings that have panels of their own."""
    panels: dict[str, dict[str, Curve]] = {}
    for row, runs in records.items():
        curve = _summarise(runs, metric)
        if curve is None or len(curve.epochs) < _FEWEST_EPOCHS:
            continue
        settings = {**definition.fixed, **definition.table[row]}
        title = ", ".join(f"{key} = {settings[key]}" for key in definition.facet)
        panels.setdefault(title, {})[row] = curve
    return panels


def _summarise(records: Sequence[Record], metric: str) -> Curve | None:
    """The median and the range of a metric over runs, at the epochs that all of them have; None if there are none."""
    curves = [dict(record.history.get(metric, [])) for record in records]
    epochs = sorted(set.intersection(*(set(curve) for curve in curves))) if curves else []
    if not epochs:
        return None
    values = np.array([[curve[epoch] for epoch in epochs] for curve in curves])
    timed = all(len(record.elapsed) > epochs[-1] for record in records)
    seconds = np.median([[r.elapsed[epoch] for epoch in epochs] for r in records], axis=0) if timed else None
    return Curve.over_seeds(np.array(epochs), values, seconds)
