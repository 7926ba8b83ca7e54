"""A worker: one trial after the other, until the study has no more."""

import gc
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import torch
from optuna import Study, Trial
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from lit_anndl.runtime.deferral import deferring
from lit_anndl.runtime.errors import RunFailure, Stopped, TakenOver, Unreachable, first_line
from lit_anndl.runtime.interruption import ignoring_signals
from lit_anndl.studies.background import in_background
from lit_anndl.studies.claiming import claim, give_back, mark_alive
from lit_anndl.studies.database import PATIENCE_SECONDS, UNREACHABLE, DatabaseLost, retry
from lit_anndl.studies.results import conclude, is_concluded
from lit_anndl.studies.samplers import make_pruner, make_sampler
from lit_anndl.studies.standing import retry_history
from lit_anndl.studies.study import OpenStudy
from lit_anndl.studies.trial import Pruned, TrialTakenOver, run_seeds
from lit_anndl.tracking.leftovers import open_store

_log = logging.getLogger(__name__)

_HEARTBEAT_SECONDS = 20.0
_WAIT_SECONDS = 1.0
"""Between looks at the queue, while other workers are at the last trials."""
PATIENCE_AT_THE_END_SECONDS = 15.0
"""How long an interrupted worker waits for the database: clusters kill half a minute after SIGTERM."""


def work(opened: OpenStudy, deadline: float | None = None, max_failures: int | None = None) -> None:
    """Takes trials until none is left, then concludes the study if it is complete.

    Args:
        opened: the study.
        deadline: no trial is begun after this time (as `time.time()`).
        max_failures: so many in a row end the work.

    Raises:
        Interruption: a signal; the trial waits for another worker by then.
        RunFailure: too many trials failed in a row, or the database stays away.
    """
    try:
        parent = retry(lambda: opened.parent)
        if not retry(lambda: is_concluded(opened)):
            parent.set_status("RUNNING")
        opened.study.pruner = make_pruner(opened.definition)
        _take_trials(opened, deadline, max_failures)
        conclude(opened)
    except BaseException as error:
        with ignoring_signals():
            release(opened, "KILLED" if isinstance(error, Stopped) else "FAILED")
        raise


def _take_trials(opened: OpenStudy, deadline: float | None, max_failures: int | None) -> None:
    """One trial after the other, until none is left or the time is up."""
    failures = 0
    while deadline is None or time.time() < deadline:
        with deferring():  # parsing might take a signal's exception for its own
            opened = retry(opened.refreshed)  # rows, trials and seeds that another command has added
        if trial := next_trial(opened):
            failures = failures + 1 if run_trial(trial, opened) is TrialState.FAIL else 0
            if max_failures and failures >= max_failures:
                raise RunFailure(f"{failures} trials failed in a row, the last one with: {error_of(trial)}")
        elif _others_work(opened):
            opened.parent.heartbeat()
            time.sleep(_WAIT_SECONDS)
        else:
            return


def next_trial(opened: OpenStudy) -> Trial | None:
    """A trial of this worker's own."""

    def claim_locked() -> Trial | None:
        with opened.storage.locked(opened.definition.name):
            return claim(opened.study, opened.definition, make_sampler)

    with deferring():  # an exception in the middle of locking would leave the lock held
        return retry(claim_locked)


def _others_work(opened: OpenStudy) -> bool:
    """Whether trials are being worked on: their workers may die, and leave them."""
    counts = retry(opened.counts)
    return bool(counts["RUNNING"] or counts["WAITING"])


def run_trial(trial: Trial, opened: OpenStudy) -> TrialState:
    """One trial from beginning to end; returns how it ended."""
    lost = threading.Event()
    with heartbeat(trial, opened, lost):
        state, value = _classify_outcome(trial, opened, lost)
    if state.is_finished():
        ended = retry(lambda: opened.study.tell(trial, value, state, skip_if_finished=True))
        _tag_runs(trial.user_attrs, trial.number, opened, state)
        if not sys.stderr.isatty():  # a terminal has a bar
            print(line(ended, opened.definition.metric), flush=True)
    return state


def line(trial: FrozenTrial, metric: str) -> str:
    """What a log says of a trial that has ended."""
    complete = f"{metric} {trial.value:.4g}" if trial.value is not None else ""
    said = {TrialState.COMPLETE: complete, TrialState.FAIL: f"failed: {error_of(trial)}"}
    row = f" ({trial.user_attrs['row']})" if "row" in trial.user_attrs else ""
    history = retry_history(trial)
    since = f" (begun as trial {history[0]})" if history else ""
    return f"trial {trial.number}{row}: {said.get(trial.state, 'pruned')}{since}"


def _classify_outcome(trial: Trial, opened: OpenStudy, lost: threading.Event) -> tuple[TrialState, float | None]:
    """Runs a trial; returns how it ended (RUNNING: elsewhere, WAITING: in the queue again) and its value."""
    try:
        return TrialState.COMPLETE, run_seeds(trial, opened.definition, opened.parent.run_id, lost)
    except Pruned:
        return TrialState.PRUNED, None
    except (TrialTakenOver, TakenOver) as error:
        _log.warning("trial %d: %s", trial.number, error)
        return TrialState.RUNNING, None
    except Unreachable as error:
        _log.warning("trial %d waits: %s", trial.number, error)
        _hand_back(opened)
        _wait_for_store()
        return TrialState.WAITING, None
    except DatabaseLost:
        raise
    except Exception as error:
        message = f"{type(error).__name__}: {first_line(error)}"
    with suppress(UpdateFinishedTrialError):  # another worker has taken it over
        retry(lambda: trial.set_user_attr("error", message))
    gc.collect()  # the traceback held the tensors, and the next trial wants the memory
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return TrialState.FAIL, None


def _wait_for_store() -> None:
    """Waits for a tracking store that is away.

    Raises:
        Unreachable: it stays away.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            open_store()
            return
        except Unreachable:
            if time.monotonic() > end:
                raise
            time.sleep(_WAIT_SECONDS)


def _hand_back(opened: OpenStudy, requeue: Callable[[Study], list[FrozenTrial]] = give_back) -> None:
    """Puts the trial that this process is at back in the queue, if there is one, or what else is to be requeued."""

    def hand_back_locked() -> list[FrozenTrial]:
        with opened.storage.locked(opened.definition.name):
            return requeue(opened.study)

    for trial in retry(hand_back_locked, PATIENCE_AT_THE_END_SECONDS):
        _tag_runs(trial.user_attrs, trial.number, opened, TrialState.WAITING)


def release(opened: OpenStudy, status: str, requeue: Callable[[Study], list[FrozenTrial]] = give_back) -> None:
    """Leaves nothing behind that looks as if it were worked on; notes how the study stands for the last worker."""
    try:
        _hand_back(opened, requeue)
        if not retry(opened.counts, PATIENCE_AT_THE_END_SECONDS)["RUNNING"]:
            _set_final_status(opened, status)
    except (*UNREACHABLE, DatabaseLost, Unreachable) as error:
        # The next worker finds the trial by its dead worker's mark.
        _log.warning("the study could not be told: %s", first_line(error))


def _set_final_status(opened: OpenStudy, status: str) -> None:
    """Notes how a study ended, unless it is FINISHED, also where another worker concludes it at this moment."""

    def concluded() -> bool:
        return retry(lambda: is_concluded(opened), PATIENCE_AT_THE_END_SECONDS)

    if not concluded():
        opened.parent.set_status(status)
        if concluded():
            opened.parent.set_status("FINISHED")


def _tag_runs(noted: Mapping[str, Any], number: int, opened: OpenStudy, state: TrialState) -> None:
    """Says in MLflow how a trial stands."""
    opened.parent.tag_trial(noted.get("runs", {}).values(), number, state.name)


def error_of(trial: Trial | FrozenTrial) -> str:
    """What a failed trial failed of."""
    return str(trial.user_attrs.get("error", "unknown"))


@contextmanager
def heartbeat(trial: Trial, opened: OpenStudy, lost: threading.Event) -> Iterator[None]:
    """Notes every few seconds that this worker lives."""

    def keep_beating(done: threading.Event) -> None:
        while not done.wait(_HEARTBEAT_SECONDS):
            try:
                mark_alive(trial)
                opened.parent.heartbeat()
            except UpdateFinishedTrialError:
                lost.set()
            except UNREACHABLE:  # who works waits for it, too
                pass

    with in_background(keep_beating, "heartbeat"):
        yield
