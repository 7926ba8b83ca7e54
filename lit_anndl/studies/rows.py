"""What the rows of a study have measured: medians and ranges over the seeds."""

import math
from collections.abc import Sequence
from statistics import median

import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from lit_anndl.runtime.numbers import significant
from lit_anndl.runtime.records import Table
from lit_anndl.studies.definition import Definition


def complete_rows(definition: Definition, trials: list[FrozenTrial]) -> dict[str, FrozenTrial]:
    """The complete trial of each row that has one, in the order of the study file."""
    complete = {trial.user_attrs["row"]: trial for trial in trials if trial.state is TrialState.COMPLETE}
    return {row: complete[row] for row in definition.rows if row in complete}


def values_of_rows(definition: Definition, trials: list[FrozenTrial]) -> dict[str, list[float]]:
    """The study's metric, per row and seed."""
    return metric_of_rows(definition, trials, definition.metric)


def metric_of_rows(definition: Definition, trials: list[FrozenTrial], metric: str) -> dict[str, list[float]]:
    """A metric, per row and seed; rows of which a run lacks it are left out."""
    measured = _metrics_of_rows(definition, trials)
    return {
        row: [each[metric] for each in metrics]
        for row, metrics in measured.items()
        if all(metric in each for each in metrics)
    }


def rows_table(definition: Definition, trials: list[FrozenTrial]) -> Table:
    """Median and range over the seeds of each metric, a line per row in the order of the study file."""
    measured = _metrics_of_rows(definition, trials)
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
        "never" if math.isinf(each) else significant(each, digits)
        for each in (median(values), min(values), max(values))
    ]
    return f"{shown[0]} ({shown[1]}–{shown[2]})" if len(set(shown)) > 1 else shown[0]


def _metrics_of_rows(definition: Definition, trials: list[FrozenTrial]) -> dict[str, list[dict[str, float]]]:
    """What the runs of each complete row measured."""
    rows = complete_rows(definition, trials)
    return {row: list(trial.user_attrs["metrics"].values()) for row, trial in rows.items()}
