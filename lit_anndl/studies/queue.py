"""The queue of a study's trials: rows, grids and further seeds wait in it, and what was not done comes back to it.

A trial whose worker ended or died before it was done is FAIL, and a copy of it waits in its place: same settings, same
seeds done, same runs to resume. Everything here happens under the study's lock.
"""

import copy
import warnings
from typing import Any

from optuna import Study
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

from lit_anndl.studies.definition import Definition
from lit_anndl.studies.row_trials import row_distributions, row_trial
from lit_anndl.studies.standing import current, lacks_seeds, replaced

MAX_DEATHS = 3
"""A trial that so many workers died of is not tried again."""

with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
    copy_into_queue = RetryHeartbeatStaleTrialCallback(inherit_intermediate_values=True)


def enqueue_planned(study: Study, definition: Definition) -> None:
    """Puts rows or a grid in the queue, as far as they are not there; when nobody works, failed rows once more."""
    trials = current(study)
    rows = {trial.user_attrs.get("row"): trial for trial in trials}
    idle = all(trial.state.is_finished() for trial in trials)
    distributions = row_distributions(definition.table, trials)
    for name, row in definition.table.items():
        if name not in rows:
            study.add_trial(row_trial(name, row, distributions))
        elif idle and rows[name].state is TrialState.FAIL:
            failed = copy.deepcopy(rows[name])
            failed.user_attrs = {"row": name, "overrides": row, **_done(failed)}
            copy_into_queue(study, failed)
    for settings in definition.planned:
        study.enqueue_trial(settings, skip_if_exists=True)
    enqueue_further_seeds(study, definition)


def _done(trial: FrozenTrial) -> dict[str, dict[str, Any]]:
    """What a trial has of the seeds that are done: their metrics and runs."""
    metrics = trial.user_attrs.get("metrics", {})
    runs = {seed: run for seed, run in trial.user_attrs.get("runs", {}).items() if seed in metrics}
    return {"metrics": metrics, "runs": runs} if metrics else {}


def enqueue_further_seeds(study: Study, definition: Definition) -> None:
    """Puts a copy of each complete trial that lacks a seed in the queue; the seeds that are done stay done."""
    for trial in current(study):
        if lacks_seeds(trial, definition):
            copy_into_queue(study, copy.deepcopy(trial))  # which it changes


def requeue(study: Study, trial: FrozenTrial, *, died: bool) -> None:
    """Ends a trial that was not done, and puts a copy in the queue."""
    deaths = trial.user_attrs.get("deaths", 0) + died
    if trial.number not in replaced(study.get_trials(deepcopy=False)) and deaths < MAX_DEATHS:
        trial.user_attrs = {**trial.user_attrs, "deaths": deaths}
        trial.user_attrs.pop("worker", None)
        copy_into_queue(study, trial)
    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
