"""The rows of a study side by side: tables of medians and ranges, learning curves, convergence, figures."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

import pandas as pd
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

from lit_anndl.config import presets
from lit_anndl.runtime.errors import InputError, Unreachable
from lit_anndl.runtime.records import Table
from lit_anndl.studies import row_figures as plots
from lit_anndl.studies.convergence import Arrival, arrival, ranks
from lit_anndl.studies.definition import Definition
from lit_anndl.tracking.run_records import Record, figure_names, read_figure, read_record, read_table
from lit_anndl.tracking.store import TrackingStore

log = logging.getLogger(__name__)

UNITS = ("epochs", "seconds")
_FEWEST_EPOCHS = 2
"""What a curve needs."""
_CONVERGENCE_COLUMNS = ("below", "row", "seeds", "reached", "epochs", "place by epochs", "seconds", "place by seconds")

_Records = Mapping[str, Sequence[Record]]
"""What each row's runs have left."""
_Arrivals = Mapping[str, Mapping[float, Arrival]]
"""For each row and threshold, when the row's runs stay below it."""


def convergence_tables(definition: Definition, records: _Records) -> Iterator[tuple[str, Table]]:
    """Names and tables of the thresholds."""
    for metric, thresholds in definition.thresholds.items():
        yield f"convergence_{as_name(metric)}", _convergence_table(_arrivals(records, metric, thresholds))


def figures(
    definition: Definition, trials: list[FrozenTrial], records: _Records, store: TrackingStore
) -> Iterator[tuple[str, Figure]]:
    """Names and figures."""
    yield "rows", plots.rows(values_by_row(definition, trials), definition.metric, definition.name)
    for metric in _curve_metrics(definition):
        if panels := _facets(definition, records, metric):
            yield f"curves_{as_name(metric)}", plots.learning_curves(panels, metric, definition.name)
    for metric, thresholds in definition.thresholds.items():
        yield f"convergence_{as_name(metric)}", plots.convergence(_arrivals(records, metric, thresholds), metric)
    for name in definition.overlays:
        if found := overlay(definition, trials, store, name):
            yield f"overlay_{name}", plots.overlay(found, f"{definition.name}: {name}", definition.overlays_together)
    if definition.gallery and (pictures := gallery(definition, trials, store)):
        yield "gallery", plots.gallery(pictures, f"{definition.name}: {', '.join(definition.gallery)}, first seed")


def read_records(definition: Definition, trials: list[FrozenTrial], store: TrackingStore) -> _Records:
    """The records of all complete rows; a run that cannot be read is left out, with a warning."""
    records: dict[str, list[Record]] = {}
    for row, trial in _complete_rows(definition, trials).items():
        for run_id in trial.user_attrs["runs"].values():
            try:
                record = read_record(store, run_id, _curve_metrics(definition))
            except Unreachable:
                raise
            except InputError as error:
                log.warning("row %s: its curves lack a run: %s", row, error)
            else:
                records.setdefault(row, []).append(record)
    return records


def _complete_rows(definition: Definition, trials: list[FrozenTrial]) -> dict[str, FrozenTrial]:
    """The complete trial of each row that has one, in the order of the study file."""
    complete = {trial.user_attrs["row"]: trial for trial in trials if trial.state is TrialState.COMPLETE}
    return {row: complete[row] for row in definition.rows if row in complete}


def _metrics_by_row(definition: Definition, trials: list[FrozenTrial]) -> dict[str, list[dict[str, float]]]:
    """What the runs of each complete row measured."""
    rows = _complete_rows(definition, trials)
    return {row: list(trial.user_attrs["metrics"].values()) for row, trial in rows.items()}


def values_by_row(definition: Definition, trials: list[FrozenTrial]) -> dict[str, list[float]]:
    """The study's metric, per row and seed."""
    measured = _metrics_by_row(definition, trials)
    return {row: [each[definition.metric] for each in metrics] for row, metrics in measured.items()}


def _curve_metrics(definition: Definition) -> list[str]:
    """The metrics that are measured at each epoch."""
    names = presets.model_class(definition.exercise).metrics()
    return [name for name in names if name.startswith(("train/", "val/"))]


def rows_table(definition: Definition, trials: list[FrozenTrial]) -> Table:
    """Median and range over the seeds of each metric, a line per row in the order of the study file."""
    measured = _metrics_by_row(definition, trials)
    runs = pd.DataFrame([{"row": row, **metrics} for row, each in measured.items() for metrics in each])
    if runs.empty:
        return {"row": [], "seeds": []}
    rows = runs.groupby("row", sort=False)
    table = rows.agg(lambda values: spread(list(values))).sort_index(axis="columns")
    table.insert(0, "seeds", rows.size())
    return dict(table.reset_index().to_dict("list"))


def spread(values: Sequence[float], digits: int = 6) -> str:
    """Median (lowest–highest); infinite ones were never reached, and of unknown ones nothing is said."""
    if not values or any(map(math.isnan, values)):
        return ""
    shown = [
        "never" if math.isinf(each) else f"{each:.{digits}g}" for each in (median(values), min(values), max(values))
    ]
    return f"{shown[0]} ({shown[1]}–{shown[2]})" if len(set(shown)) > 1 else shown[0]


def _facets(definition: Definition, records: _Records, metric: str) -> dict[str, dict[str, plots.Curve]]:
    """The rows' curves of a metric, by the values of the settings that have panels of their own."""
    panels: dict[str, dict[str, plots.Curve]] = {}
    for row, runs in records.items():
        curve = plots.summarise(runs, metric)
        if curve is None or len(curve.epochs) < _FEWEST_EPOCHS:
            continue
        settings = {**definition.fixed, **definition.table[row]}
        title = ", ".join(f"{key} = {settings[key]}" for key in definition.facet)
        panels.setdefault(title, {})[row] = curve
    return panels


def _arrivals(records: _Records, metric: str, thresholds: Sequence[float]) -> _Arrivals:
    """When each row's runs stay below each threshold, highest threshold first."""
    descending = sorted(thresholds, reverse=True)
    return {row: {each: arrival(runs, metric, each) for each in descending} for row, runs in records.items()}


def _convergence_table(found: _Arrivals) -> Table:
    """A line per row and threshold: epochs and seconds, median and range over the seeds, and the places by each."""
    lines = []
    for threshold in next(iter(found.values()), {}):
        at = {row: each[threshold] for row, each in found.items()}
        by_epochs, by_seconds = (ranks({row: getattr(a, unit) for row, a in at.items()}) for unit in UNITS)
        for row, a in at.items():
            reached = sum(not math.isinf(count) for count in a.epochs)
            counts = (len(a.epochs), reached)
            lines.append(
                (threshold, row, *counts, spread(a.epochs), by_epochs[row], spread(a.seconds), by_seconds[row])
            )
    columns = zip(*lines, strict=True) if lines else [()] * len(_CONVERGENCE_COLUMNS)
    return {heading: list(column) for heading, column in zip(_CONVERGENCE_COLUMNS, columns, strict=True)}


def gallery(
    definition: Definition, trials: list[FrozenTrial], store: TrackingStore
) -> dict[str, list[plots.Picture | None]]:
    """For each row the wanted figures of its first seed's run."""
    pictures: dict[str, list[plots.Picture | None]] = {}
    for row, trial in _complete_rows(definition, trials).items():
        run_id = trial.user_attrs["runs"][str(definition.seeds[0])]
        found = [read_figure(store, run_id, name) for name in definition.gallery]
        for name in [name for name, picture in zip(definition.gallery, found, strict=True) if picture is None]:
            log.warning("row %s has no figure %s, but %s", row, name, ", ".join(figure_names(store, run_id)) or "none")
        if any(picture is not None for picture in found):
            pictures[row] = found
    return pictures


def overlay(
    definition: Definition, trials: list[FrozenTrial], store: TrackingStore, name: str
) -> dict[str, list[Table]]:
    """A table of all runs of each complete row; a run without it is left out, with a warning."""
    tables: dict[str, list[Table]] = {}
    first: Table | None = None
    for row, trial in _complete_rows(definition, trials).items():
        for run_id in trial.user_attrs["runs"].values():
            table = read_table(store, run_id, name)
            if table and _is_drawable(table, first := first or table):
                tables.setdefault(row, []).append(table)
            else:
                log.warning("row %s: run %s has no table %s of three columns of numbers", row, run_id, name)
    return tables


def _is_drawable(table: Table, like: Table) -> bool:
    """Whether a table has three columns of numbers at least, and the first and the names as another has."""
    columns = list(table.values())[:3]
    numbers = all(isinstance(value, int | float) for column in columns for value in column)
    return len(columns) == 3 and numbers and list(table) == list(like) and columns[0] == next(iter(like.values()))


def as_name(metric: str) -> str:
    """A metric as part of a file's name."""
    return metric.replace("/", "_")
