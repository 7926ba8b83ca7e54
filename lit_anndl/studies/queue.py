"""Which trial a worker takes next: none is lost, none is done twice, and the budget is the study's.

Everything here happens under the study's lock. A trial whose worker ended or died before it was done is FAIL, and
a copy of it waits in its place: same settings, same seeds done, same runs to resume.
"""

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence

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
    """Puts rows or a grid in the queue, as far as they are not there; when nobody works, failed rows once more."""
    trials = current(study)
    rows = {trial.user_attrs.get("row"): trial for trial in trials}
    idle = all(trial.state.is_finished() for trial in trials)
    for name, row in definition.table.items():
        if name not in rows:
            study.enqueue_trial({}, user_attrs={"row": name, "overrides": row})
        elif idle and rows[name].state is TrialState.FAIL:
            failed = copy.deepcopy(rows[name])
            failed.user_attrs = {"row": name, "overrides": row}
            copy_into_queue(study, failed)
    known = [trial.system_attrs.get("fixed_params", trial.params) for trial in trials]
    for settings in definition.planned:
        if settings not in known:
            study.enqueue_trial(settings)


def claim(study: Study, definition: Definition, make_sampler: Callable[[Definition, int], BaseSampler]) -> Trial | None:
    """The next trial, this process' own from now on; None when none is to be begun."""
    requeue_lost(study, has_died)
    trials = current(study)
    waiting = [trial for trial in trials if trial.state is TrialState.WAITING]
    if not waiting:
        budget = study.user_attrs.get("trials")
        planned = bool(definition.rows or definition.planned)
        if planned or (budget is not None and len(trials) >= budget):
            return None
    place = waiting[0].user_attrs.get("place", waiting[0].number) if waiting else len(trials)
    study.sampler = make_sampler(definition, place)
    trial = study.ask()
    trial.set_user_attr("place", place)
    beat(trial)
    return trial


def beat(trial: Trial) -> None:
    """Notes that this process works on a trial."""
    trial.set_user_attr("worker", process_tags())


def give_back(study: Study) -> list[FrozenTrial]:
    """Requeues whatever this process is at; returns it."""
    own = process_tags()
    return requeue_lost(study, lambda worker: all(worker[key] == own[key] for key in ("host", "process")), died=False)


def requeue_lost(study: Study, lost: Callable[[Mapping[str, str]], bool], *, died: bool = True) -> list[FrozenTrial]:
    """Requeues the running trials of lost workers, and those without a worker's mark: it died while claiming them."""
    found = []
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        worker: dict[str, str] = trial.user_attrs.get("worker", {})
        if worker:
            worker["heartbeat"] = str(float(worker["heartbeat"]) + OVERLAP_SECONDS)
        if not worker or lost(worker):
            requeue(study, trial, died=died)
            found.append(trial)
    return found


def requeue(study: Study, trial: FrozenTrial, *, died: bool) -> None:
    """Ends a trial that was not done, and puts a copy in the queue."""
    deaths = trial.user_attrs.get("deaths", 0) + died
    if trial.number not in retried(study) and deaths < MAX_DEATHS:
        trial.user_attrs = {**trial.user_attrs, "deaths": deaths}
        copy_into_queue(study, trial)
    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def current(study: Study) -> list[FrozenTrial]:
    """The trials but for those that a copy stands for."""
    trials = study.get_trials(deepcopy=False)
    replaced = numbers_retried(trials)
    return [trial for trial in trials if trial.number not in replaced]


def retried(study: Study) -> set[int]:
    """The numbers of the trials that a copy stands for."""
    return numbers_retried(study.get_trials(deepcopy=False))


def numbers_retried(trials: Sequence[FrozenTrial]) -> set[int]:
    """The numbers in the trials' histories."""
    return {number for trial in trials for number in trial.system_attrs.get("retry_history", [])}
