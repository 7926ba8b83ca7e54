"""How trials end, and what is said of it."""

import gc
import logging
import sys
import traceback
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import torch
from optuna import Trial
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from lit_anndl.runtime.errors import TakenOver, Unreachable, first_line
from lit_anndl.runtime.numbers import significant
from lit_anndl.studies.claiming import give_back
from lit_anndl.studies.database import DatabaseLost, retry
from lit_anndl.studies.handing_back import hand_back, tag_runs
from lit_anndl.studies.standing import retry_history
from lit_anndl.studies.study import OpenStudy
from lit_anndl.studies.trial_reporter import Pruned, TrialTakenOver
from lit_anndl.studies.trials_together import Outcome

_log = logging.getLogger(__name__)


class Ending(NamedTuple):
    """How a trial has ended: its state (RUNNING: elsewhere, WAITING: in the queue again), its value, and why."""

    state: TrialState
    value: float | None = None
    reason: str = ""


def ending_of(outcome: Outcome) -> Ending:
    """The ending that is meant by a trial's value, or what it has ended with.

    Raises:
        DatabaseLost: of that the study cannot be told.
    """
    match outcome:
        case Pruned():
            return Ending(TrialState.PRUNED)
        case TrialTakenOver() | TakenOver():
            return Ending(TrialState.RUNNING, reason=str(outcome))
        case Unreachable():
            return Ending(TrialState.WAITING, reason=str(outcome))
        case DatabaseLost():
            raise outcome
        case BaseException():
            return Ending(TrialState.FAIL, reason=f"{type(outcome).__name__}: {first_line(outcome)}")
    return Ending(TrialState.COMPLETE, outcome)


def conclude_trial(trial: Trial, outcome: Outcome, opened: OpenStudy) -> Ending:
    """Tells the study, MLflow and the log how a trial has ended.

    Raises:
        DatabaseLost: the study cannot be told.
    """
    ending = ending_of(outcome)
    match ending.state:
        case TrialState.RUNNING:
            _log.warning("trial %d: %s", trial.number, ending.reason)
        case TrialState.WAITING:
            _log.warning("trial %d waits: %s", trial.number, ending.reason)
            hand_back(opened, partial(give_back, numbers={trial.number}))
        case _:
            _tell(trial, ending, opened)
    if ending.state is TrialState.FAIL and isinstance(outcome, BaseException):
        _free_memory(outcome)
    return ending


def _tell(trial: Trial, ending: Ending, opened: OpenStudy) -> None:
    if ending.reason:
        with suppress(UpdateFinishedTrialError):  # another worker has taken it over
            retry(lambda: trial.set_user_attr("error", ending.reason))
    told = retry(lambda: opened.study.tell(trial, ending.value, ending.state, skip_if_finished=True))
    tag_runs(trial.user_attrs, trial.number, opened, ending.state)
    if not sys.stderr.isatty():  # a terminal has a bar
        print(line(told, opened.definition.metric), flush=True)


def _free_memory(error: BaseException) -> None:
    """Drops what the functions held that an error has ended, tensors for instance: the next trial wants the memory."""
    traceback.clear_frames(error.__traceback__)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def line(trial: FrozenTrial, metric: str) -> str:
    """What a log says of a trial that has ended."""
    complete = f"{metric} {significant(trial.value, 4)}" if trial.value is not None else ""
    said = {TrialState.COMPLETE: complete, TrialState.FAIL: f"failed: {trial.user_attrs.get('error', 'unknown')}"}
    row = f" ({trial.user_attrs['row']})" if "row" in trial.user_attrs else ""
    history = retry_history(trial)
    since = f" (begun as trial {history[0]})" if history else ""
    return f"trial {trial.number}{row}: {said.get(trial.state, 'pruned')}{since}"
