"""Which trial a worker takes next: none is lost, none is done twice, and the budget is the study's.

Everything here happens under the study's lock. A trial whose worker ended or died before it was done is FAIL, and
a copy of it waits in its place: same settings, same seeds done, same runs to resume. Where the lock was lost, and two
workers filled the queue or took trials at once, what is there twice is found when it is taken, and ended: `is_surplus`.
"""

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from optuna import Study, Trial
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

from lit_anndl.runtime.liveness import has_died, is_own, process_tags
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.row_trials import row_distributions, row_trial

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
            copy_into_queue(study, trial)


def lacks_seeds(trial: FrozenTrial, definition: Definition) -> bool:
    """Whether a complete trial was run with fewer seeds than the study has by now."""
    done = set(trial.user_attrs.get("metrics", {}))
    return trial.state is TrialState.COMPLETE and not set(map(str, definition.seeds)) <= done


def claim(study: Study, definition: Definition, make_sampler: Callable[[Definition, int], BaseSampler]) -> Trial | None:
    """The next trial, this process' own from now on; None when none is to be begun. It must not be at any other."""
    give_back(study)  # it may have taken one and not been told
    _requeue_lost(study, has_died)
    enqueue_further_seeds(study, definition)  # of trials that a worker with fewer seeds has ended since
    while (place := _next_place(study, definition)) is not None:
        study.sampler = make_sampler(definition, place)
        trial = study.ask()
        with suppress(UpdateFinishedTrialError):  # another worker has just put it back
            mark_alive(trial)
            trial.set_user_attr("place", trial.user_attrs.get("place", place))
            if not is_surplus(study, definition, trial):
                return trial
            trial.set_user_attr("surplus", True)
            study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
    return None


def _next_place(study: Study, definition: Definition) -> int | None:
    """The place in the study of the trial that is to be begun next; None when none is."""
    trials = current(study)
    for index, trial in enumerate(trials):
        if trial.state is TrialState.WAITING:
            return int(trial.user_attrs.get("place", index))
    budget = study.user_attrs.get("trials")
    full = _is_planned(definition) or (budget is not None and len(trials) >= budget)
    return None if full else len(trials)


def is_surplus(study: Study, definition: Definition, trial: Trial) -> bool:
    """Whether a trial was put in the queue twice, or taken beside the queue, of which the first counts."""
    trials = {each.number: each for each in current(study) if each.number <= trial.number}
    own = trials.pop(trial.number, None)
    if own is None:  # another worker has just put it back
        return True
    if _is_planned(definition) and "fixed_params" not in own.system_attrs:
        return True
    if "fixed_params" in own.system_attrs or retry_history(own):
        return identity(own) in map(identity, trials.values())
    return bool(trial.user_attrs["place"] != len(trials))


def identity(trial: FrozenTrial) -> Any:
    """What a trial alone is in its study: a row, a setting of a grid, or what it is a copy of."""
    first = [*retry_history(trial), trial.number][0]
    return trial.user_attrs.get("row") or trial.system_attrs.get("fixed_params") or first


def _is_planned(definition: Definition) -> bool:
    """Whether all trials are in the queue from the beginning."""
    return bool(definition.rows or definition.planned)


def mark_alive(trial: Trial) -> None:
    """Notes that this process works on a trial."""
    trial.set_user_attr("worker", process_tags())


def give_back(study: Study) -> list[FrozenTrial]:
    """Requeues whatever this process is at; returns it."""
    return _requeue_lost(study, is_own, died=False)


def _requeue_lost(study: Study, lost: Callable[[Mapping[str, str]], bool], *, died: bool = True) -> list[FrozenTrial]:
    """Requeues the running trials of lost workers, and those without a mark: whoever took them was lost before that."""
    found = []
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        worker: dict[str, str] = trial.user_attrs.get("worker", {})
        if worker:
            worker["heartbeat"] = str(float(worker["heartbeat"]) + OVERLAP_SECONDS)
        if not worker or lost(worker):
            requeue(study, trial, died=died and bool(worker))
            found.append(trial)
    return found


def requeue(study: Study, trial: FrozenTrial, *, died: bool) -> None:
    """Ends a trial that was not done, and puts a copy in the queue."""
    deaths = trial.user_attrs.get("deaths", 0) + died
    if trial.number not in replaced(study.get_trials(deepcopy=False)) and deaths < MAX_DEATHS:
        trial.user_attrs = {**trial.user_attrs, "deaths": deaths}
        trial.user_attrs.pop("worker", None)
        copy_into_queue(study, trial)
    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def retry_history(trial: FrozenTrial) -> list[int]:
    """The trials that one is a copy of, the first one first; Optuna's own reading warns at each call."""
    return list(trial.system_attrs.get("retry_history", []))


def current(study: Study) -> list[FrozenTrial]:
    """The trials but for those that another stands for."""
    trials = study.get_trials(deepcopy=False)
    others = replaced(trials)
    return [trial for trial in trials if trial.number not in others]


def found(study: Study) -> list[FrozenTrial]:
    """The current trials; for one that is not complete, the latest complete one that it is a copy of, if there is one.

    A trial that gets more seeds has all that was found before in the meantime, and if these fail.
    """
    trials = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
    results = []
    for trial in current(study):
        line = [trials[number] for number in [*retry_history(trial), trial.number] if number in trials]
        complete = [each for each in line if each.state is TrialState.COMPLETE]
        results.append(complete[-1] if complete else trial)
    return results


def replaced(trials: Sequence[FrozenTrial]) -> set[int]:
    """The numbers of the trials that another stands for, a copy or, for one that was surplus, the first."""
    copied = {number for trial in trials for number in retry_history(trial)}
    return copied | {trial.number for trial in trials if "surplus" in trial.user_attrs}
