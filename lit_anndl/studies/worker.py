"""A worker: one trial after the other, or several at once, until the study has no more."""

import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from optuna import Trial
from optuna.trial import TrialState

from lit_anndl.runtime.deferral import deferring
from lit_anndl.runtime.errors import RunFailure, Stopped, Unreachable
from lit_anndl.runtime.interruption import ignoring_signals
from lit_anndl.studies.claiming import ALONE, claim, give_back
from lit_anndl.studies.database import PATIENCE_SECONDS, retry
from lit_anndl.studies.handing_back import hand_back, release
from lit_anndl.studies.heartbeat import heartbeat
from lit_anndl.studies.results import conclude, is_concluded
from lit_anndl.studies.samplers import make_pruner, make_sampler
from lit_anndl.studies.study import OpenStudy
from lit_anndl.studies.trial import TrialRuns
from lit_anndl.studies.trial_endings import Ending, conclude_trial
from lit_anndl.studies.trial_reporter import TrialTakenOver, on_own_trial
from lit_anndl.studies.trials_together import ENDINGS, Conclude, Outcome, run_alone, run_trials_together
from lit_anndl.tracking.leftovers import open_store

_WAIT_SECONDS = 1.0
"""Between looks at the queue, while other workers are at the last trials."""


def work(opened: OpenStudy, deadline: float | None = None, max_failures: int | None = None) -> None:
    """Takes trials until none is left, then concludes the study if it is complete.

    Args:
        opened: the study.
        deadline: no trial is begun after this time (as `time.time()`).
        max_failures: so many in a row end the work.

    Raises:
        Interruption: a signal; the trials wait for another worker by then.
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
            # A query that a signal has broken off locks SQLite's file as long as its frames hold it.
            traceback.clear_frames(error.__traceback__)
            release(opened, "KILLED" if isinstance(error, Stopped) else "FAILED")
        raise


def _take_trials(opened: OpenStudy, deadline: float | None, max_failures: int | None) -> None:
    """One trial after the other, or several at once, until none is left or the time is up."""
    failures = 0
    while deadline is None or time.time() < deadline:
        with deferring():  # parsing might take a signal's exception for its own
            opened = retry(opened.refreshed)  # rows, trials and seeds that another command has added
        if trials := next_trials(opened):
            for ending in run_trials(trials, opened):
                failures = failures + 1 if ending.state is TrialState.FAIL else 0
                if max_failures and failures >= max_failures:
                    raise RunFailure(f"{failures} trials failed in a row, the last one with: {ending.reason}")
        elif _others_work(opened):
            opened.parent.heartbeat()
            time.sleep(_WAIT_SECONDS)
        else:
            return


def next_trials(opened: OpenStudy) -> list[Trial]:
    """Trials of this worker's own, as many as it may train together."""

    def claim_locked() -> list[Trial]:
        with opened.storage.locked(opened.definition.name):
            return claim(opened.study, opened.definition, make_sampler, opened.definition.together)

    with deferring():  # an exception in the middle of locking would leave the lock held
        return retry(claim_locked)


def _others_work(opened: OpenStudy) -> bool:
    """Whether trials are being worked on: their workers may die, and leave them."""
    counts = retry(opened.counts)
    return bool(counts["RUNNING"] or counts["WAITING"])


def run_trials(trials: Sequence[Trial], opened: OpenStudy) -> list[Ending]:
    """Runs trials that this worker has taken: those that learn together, or else the first; the others are put back.

    Returns:
        the endings of those that were run, in the order of their numbers: what diverges ends before its neighbours.
    """
    endings: dict[int, Ending] = {}

    def conclude_one(runs: TrialRuns, outcome: Outcome) -> None:
        endings[runs.trial.number] = conclude_trial(runs.trial, outcome, opened)

    lost = {trial.number: threading.Event() for trial in trials}
    taken = [TrialRuns(trial, opened.definition, opened.parent.run_id, lost[trial.number]) for trial in trials]
    with heartbeat(trials, opened, lost):
        crew, others = _divide(taken, conclude_one)
        if crew:
            _put_back(others, opened)
            run_trials_together(crew, conclude_one)
        elif others:
            _put_back(others[1:], opened)
            run_alone(others[0], conclude_one)
        if TrialState.WAITING in (ending.state for ending in endings.values()):
            _wait_for_store()
    return [endings[number] for number in sorted(endings)]


def _divide(trials: Sequence[TrialRuns], conclude_one: Conclude) -> tuple[list[TrialRuns], list[TrialRuns]]:
    """Those that learn beside others, and the others; those whose settings are refused have ended."""
    crew: list[TrialRuns] = []
    others: list[TrialRuns] = []
    for runs in trials:
        try:
            (crew if runs.learns_beside_others() else others).append(runs)
        except ENDINGS as error:
            conclude_one(runs, error)
    return crew, others


def _put_back(trials: Sequence[TrialRuns], opened: OpenStudy) -> None:
    """Puts trials that have to be run alone back in the queue, for this worker or another one."""
    for runs in trials:
        with suppress(TrialTakenOver):
            on_own_trial(partial(runs.trial.set_user_attr, ALONE, True))
    if trials:
        hand_back(opened, partial(give_back, numbers={runs.trial.number for runs in trials}))


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
