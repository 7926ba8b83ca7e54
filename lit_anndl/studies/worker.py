"""A worker: one trial after the other, until the study has no more."""

import gc
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from optuna import Trial
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from lit_anndl.errors import RunFailure, Stopped
from lit_anndl.interruption import Interruption, deferring
from lit_anndl.studies.queue import beat, claim, requeue
from lit_anndl.studies.results import conclude
from lit_anndl.studies.samplers import make_pruner, make_sampler
from lit_anndl.studies.storage import UNREACHABLE, patiently
from lit_anndl.studies.study import OpenStudy
from lit_anndl.studies.trial import Lost, Pruned, configure, perform
from lit_anndl.tracking.store import first_line

log = logging.getLogger(__name__)

BEAT_SECONDS = 20.0
WAIT_SECONDS = 1.0
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
        RunFailure: too many trials failed in a row.
    """
    opened.parent.set_status("RUNNING")
    opened.study.pruner = make_pruner(opened.definition, epochs(opened))
    failures = 0
    try:
        while deadline is None or time.time() < deadline:
            if not (trial := next_trial(opened)):
                if not others_work(opened):
                    break
                opened.parent.beat()
                time.sleep(WAIT_SECONDS)
                continue
            failures = failures + 1 if do(trial, opened) is TrialState.FAIL else 0
            if max_failures and failures >= max_failures:
                raise RunFailure(f"{failures} trials failed in a row, the last one with: {error_of(trial)}")
    except BaseException as error:
        leave(opened, "KILLED" if isinstance(error, Stopped) else "FAILED")
        raise
    conclude(opened)


def epochs(opened: OpenStudy) -> int:
    """The epochs of a run, as the pruner counts them."""
    return configure(opened.definition, {}, opened.definition.seeds[0]).values.trainer.max_epochs or 1


def next_trial(opened: OpenStudy) -> Trial | None:
    """A trial of this worker's own; a signal waits until it is certain whose it is."""

    def claim_locked() -> Trial | None:
        with opened.storage.locked(opened.definition.name):
            return claim(opened.study, opened.definition, make_sampler)

    trial = None
    try:
        with deferring():
            trial = patiently(claim_locked)
    except Interruption:
        if trial:
            give_back(trial, opened)
        raise
    return trial


def others_work(opened: OpenStudy) -> bool:
    """Whether trials are being worked on: their workers may die, and leave them."""
    counts = opened.counts()
    return bool(counts["RUNNING"] or counts["WAITING"])


def do(trial: Trial, opened: OpenStudy) -> TrialState:
    """One trial from beginning to end; returns how it ended."""
    lost = threading.Event()
    try:
        with heart(trial, opened, lost):
            state, value = attempt(trial, opened, lost)
        if state is not TrialState.RUNNING:
            patiently(lambda: opened.study.tell(trial, value, state, skip_if_finished=True))
            tag_runs(trial, opened, state)
        return state
    except Interruption:
        give_back(trial, opened)
        raise


def attempt(trial: Trial, opened: OpenStudy, lost: threading.Event) -> tuple[TrialState, float | None]:
    """Runs a trial; returns how it ended (RUNNING: elsewhere) and its value."""
    try:
        return TrialState.COMPLETE, perform(trial, opened.definition, opened.parent.run_id, lost)
    except Pruned:
        return TrialState.PRUNED, None
    except Lost as error:
        log.warning("trial %d: %s", trial.number, error)
        return TrialState.RUNNING, None
    except UNREACHABLE:
        raise
    except Exception as error:
        message = f"{type(error).__name__}: {first_line(error)}"
    log.warning("trial %d failed: %s", trial.number, message)
    patiently(lambda: trial.set_user_attr("error", message))
    gc.collect()  # the traceback held the tensors, and the next trial wants the memory
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return TrialState.FAIL, None


def give_back(trial: Trial, opened: OpenStudy) -> None:
    """Puts an interrupted trial back in the queue."""

    def requeue_locked() -> None:
        with opened.storage.locked(opened.definition.name):
            (frozen,) = [each for each in opened.study.get_trials() if each.number == trial.number]
            requeue(opened.study, frozen)

    with deferring():
        patiently(requeue_locked, PATIENCE_AT_THE_END_SECONDS)
        tag_runs(trial, opened, TrialState.WAITING)


def leave(opened: OpenStudy, status: str) -> None:
    """Notes how the study stands, if this was the last worker."""
    with deferring():
        if not patiently(opened.counts, PATIENCE_AT_THE_END_SECONDS)["RUNNING"]:
            opened.parent.set_status(status)


def tag_runs(trial: Trial, opened: OpenStudy, state: TrialState) -> None:
    """Says in MLflow how a trial stands."""
    opened.parent.tag_trial(trial.user_attrs.get("runs", {}).values(), trial.number, state.name)


def error_of(trial: Trial) -> str:
    """What a failed trial failed of."""
    return str(trial.user_attrs.get("error", "unknown"))


@contextmanager
def heart(trial: Trial, opened: OpenStudy, lost: threading.Event) -> Iterator[None]:
    """Notes every few seconds that this worker lives."""
    done = threading.Event()

    def keep_beating() -> None:
        while not done.wait(BEAT_SECONDS):
            try:
                beat(trial)
                opened.parent.beat()
            except UpdateFinishedTrialError:
                lost.set()
            except UNREACHABLE:  # who works waits for it, too
                pass

    thread = threading.Thread(target=keep_beating, name="heart", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
