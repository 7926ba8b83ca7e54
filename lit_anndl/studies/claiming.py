"""Which trial a worker takes next: none is lost, none is done twice, and the budget is the study's.

Everything here happens under the study's lock. Where the lock was lost, and two workers filled the queue or took trials
at once, what is there twice is found when it is taken, and ended: `_is_surplus`.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from optuna import Study, Trial
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from lit_anndl.runtime.liveness import has_died, is_own, process_tags
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.queue import enqueue_further_seeds, requeue
from lit_anndl.studies.standing import current, retry_history

OVERLAP_SECONDS = 30.0
"""A trial is believed dead later than its MLflow run, so that whoever takes it over may resume the run."""


def claim(study: Study, definition: Definition, make_sampler: Callable[[Definition, int], BaseSampler]) -> Trial | None:
    """The next trial, this process' own from now on; None when none is to be begun. It must not be at any other."""
    give_back(study)  # it may have taken one and not been told
    take_back(study)
    enqueue_further_seeds(study, definition)  # of trials that a worker with fewer seeds has ended since
    while (place := _next_place(study, definition)) is not None:
        study.sampler = make_sampler(definition, place)
        trial = study.ask()
        with suppress(UpdateFinishedTrialError):  # another worker has just put it back
            mark_alive(trial)
            trial.set_user_attr("place", trial.user_attrs.get("place", place))
            if not _is_surplus(study, definition, trial):
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


def _is_surplus(study: Study, definition: Definition, trial: Trial) -> bool:
    """Whether a trial was put in the queue twice, or taken beside the queue, of which the first counts."""
    trials = {each.number: each for each in current(study) if each.number <= trial.number}
    own = trials.pop(trial.number, None)
    if own is None:  # another worker has just put it back
        return True
    if _is_planned(definition) and "fixed_params" not in own.system_attrs:
        return True
    if "fixed_params" in own.system_attrs or retry_history(own):
        return _identity(own) in map(_identity, trials.values())
    return bool(trial.user_attrs["place"] != len(trials))


def _identity(trial: FrozenTrial) -> Any:
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


def take_back(study: Study) -> list[FrozenTrial]:
    """Requeues what workers that have died were at; returns it."""
    return _requeue_lost(study, has_died)


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
