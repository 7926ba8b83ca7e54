"""Which trial a worker takes next: none is lost, none is done twice, and the budget is the study's.

Everything here happens under the study's lock. A trial whose worker ended or died before it was done is FAIL, and
a copy of it waits in its place: same settings, same seeds done, same runs to resume.
"""

import warnings
from collections.abc import Callable, Mapping

from optuna import Study, Trial
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

from lit_anndl.liveness import has_died, process_tags
from lit_anndl.studies.definition import Definition

MAX_DEATHS = 3
"""A trial that so many workers died of is not tried again."""

OVERLAP_SECONDS = 30.0
"""A trial is believed dead later than its MLflow run, so that whoever takes it over may resume the run."""

with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
    copy_into_queue = RetryHeartbeatStaleTrialCallback(inherit_intermediate_values=True)


def enqueue_planned(study: Study, definition: Definition) -> None:
    """Puts rows or a grid in the queue; a row that failed, once more."""
    trials = [trial for trial in current(study) if trial.state is not TrialState.FAIL]
    done = [trial.user_attrs.get("row") for trial in trials]
    for name, row in definition.table.items():
        if name not in done:
            study.enqueue_trial({}, user_attrs={"row": name, "overrides": row})
    if not study.get_trials(deepcopy=False):
        for settings in definition.planned:
            study.enqueue_trial(settings)


def claim(study: Study, definition: Definition, make_sampler: Callable[[Definition, int], BaseSampler]) -> Trial | None:
    """The next trial, this process' own from now on; None when none is to be begun."""
    requeue_dead(study)
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    if not waiting:
        planned = bool(definition.rows or definition.planned)
        if planned or (definition.budget is not None and len(current(study)) >= definition.budget):
            return None
    place = len(current(study))
    if waiting:
        place = waiting[0].user_attrs.get("place", waiting[0].number)
    study.sampler = make_sampler(definition, place)
    trial = study.ask()
    trial.set_user_attr("place", place)
    beat(trial)
    return trial


def beat(trial: Trial) -> None:
    """Notes that this process works on a trial."""
    trial.set_user_attr("worker", process_tags())


def requeue(study: Study, trial: FrozenTrial, *, died: bool = False) -> None:
    """Ends a trial that was not done, and puts a copy in the queue."""
    if trial.state.is_finished():
        return
    deaths = trial.user_attrs.get("deaths", 0) + died
    if trial.number not in retried(study) and deaths < MAX_DEATHS:
        trial.user_attrs = {**trial.user_attrs, "deaths": deaths}
        copy_into_queue(study, trial)
    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def requeue_dead(study: Study) -> None:
    """Requeues the trials of workers that have died; one without a worker's mark died while it was claimed."""
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        worker: Mapping[str, str] = trial.user_attrs.get("worker", {})
        later = {**worker, "heartbeat": str(float(worker["heartbeat"]) + OVERLAP_SECONDS)} if worker else {}
        if not worker or has_died(later):
            requeue(study, trial, died=True)


def current(study: Study) -> list[FrozenTrial]:
    """The trials but for those that a copy stands for."""
    replaced = retried(study)
    return [trial for trial in study.get_trials(deepcopy=False) if trial.number not in replaced]


def retried(study: Study) -> set[int]:
    """The numbers of the trials that a copy stands for."""
    histories = (trial.system_attrs.get("retry_history", []) for trial in study.get_trials(deepcopy=False))
    return {number for history in histories for number in history}
