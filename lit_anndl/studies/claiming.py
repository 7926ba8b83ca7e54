"""Which trials a worker takes next: none is lost, none is done twice, and the budget is the study's.

Everything here happens under the study's lock. Where the lock was lost, and two workers filled the queue or took trials
at once, what is there twice is found when it is taken, and ended: `_is_surplus`.
"""

import copy
from collections.abc import Callable, Container, Mapping
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

ALONE = "alone"
"""The attribute of a trial that cannot learn together with others."""
OVERLAP_SECONDS = 30.0
"""A trial is believed dead later than its MLflow run, so that whoever takes it over may resume the run."""


def claim(
    study: Study, definition: Definition, make_sampler: Callable[[Definition, int], BaseSampler], most: int = 1
) -> list[Trial]:
    """The next trials, this process' own from now on; none when none is to be begun. It must not be at any other.

    Each has a sampler of its own, with which its settings are chosen when they are asked for. What has to be run alone
    comes alone.
    """
    give_back(study)  # it may have taken some and not been told
    take_back(study)
    enqueue_further_seeds(study, definition)  # of trials that a worker with fewer seeds has ended since
    trials: list[Trial] = []
    while len(trials) < most and (following := _following(study, definition)):
        place, is_alone = following
        if is_alone and trials:
            break
        most = 1 if is_alone else most
        own = copy.copy(study)
        own.sampler = make_sampler(definition, place)
        trial = own.ask()
        with suppress(UpdateFinishedTrialError):  # another worker has just put it back
            mark_alive(trial)
            trial.set_user_attr("place", trial.user_attrs.get("place", place))
            if not _is_surplus(study, definition, trial):
                trials.append(trial)
            else:
                trial.set_user_attr("surplus", True)
                study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
    return trials


def _following(study: Study, definition: Definition) -> tuple[int, bool] | None:
    """The place in the study of the trial that is to be begun next, and whether it is run alone; None when none is.

    Alone are those that cannot learn together with others, and those that a worker has died of: if they were to blame,
    the others shall not be given up with them.
    """
    trials = current(study)
    for index, trial in enumerate(trials):
        if trial.state is TrialState.WAITING:
            noted = trial.user_attrs
            return int(noted.get("place", index)), bool(noted.get("deaths") or noted.get(ALONE))
    budget = study.user_attrs.get("trials")
    full = _is_planned(definition) or (budget is not None and len(trials) >= budget)
    return None if full else (len(trials), False)


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


def give_back(study: Study, numbers: Container[int] | None = None) -> list[FrozenTrial]:
    """Requeues whatever this process is at, or those of these numbers; returns it."""
    return _requeue_lost(study, is_own, died=False, numbers=numbers)


def take_back(study: Study) -> list[FrozenTrial]:
    """Requeues what workers that have died were at; returns it."""
    return _requeue_lost(study, has_died)


def _requeue_lost(
    study: Study,
    lost: Callable[[Mapping[str, str]], bool],
    *,
    died: bool = True,
    numbers: Container[int] | None = None,
) -> list[FrozenTrial]:
    """Requeues the running trials of lost workers, and those without a mark: whoever took them was lost before that."""
    found = []
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if numbers is not None and trial.number not in numbers:
            continue
        worker: dict[str, str] = trial.user_attrs.get("worker", {})
        if worker:
            worker["heartbeat"] = str(float(worker["heartbeat"]) + OVERLAP_SECONDS)
        if not worker or lost(worker):
            requeue(study, trial, died=died and bool(worker))
            found.append(trial)
    return found
