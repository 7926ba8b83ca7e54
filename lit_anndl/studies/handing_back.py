"""Trials that a worker leaves: back in the queue, and MLflow told of it."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from lit_anndl.runtime.errors import Unreachable, first_line
from lit_anndl.studies.claiming import give_back
from lit_anndl.studies.database import UNREACHABLE, DatabaseLost, retry
from lit_anndl.studies.results import is_concluded
from lit_anndl.studies.study import OpenStudy

_log = logging.getLogger(__name__)

PATIENCE_AT_THE_END_SECONDS = 15.0
"""How long an interrupted worker waits for the database: clusters kill half a minute after SIGTERM."""


def hand_back(opened: OpenStudy, requeue: Callable[[Study], list[FrozenTrial]] = give_back) -> None:
    """Puts the trials that this process is at back in the queue, or what else is to be requeued."""

    def hand_back_locked() -> list[FrozenTrial]:
        with opened.storage.locked(opened.definition.name):
            return requeue(opened.study)

    for trial in retry(hand_back_locked, PATIENCE_AT_THE_END_SECONDS):
        tag_runs(trial.user_attrs, trial.number, opened, TrialState.WAITING)


def release(opened: OpenStudy, status: str, requeue: Callable[[Study], list[FrozenTrial]] = give_back) -> None:
    """Leaves nothing behind that looks as if it were worked on; notes how the study stands for the last worker."""
    try:
        hand_back(opened, requeue)
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


def tag_runs(noted: Mapping[str, Any], number: int, opened: OpenStudy, state: TrialState) -> None:
    """Says in MLflow how a trial stands."""
    opened.parent.tag_trial(noted.get("runs", {}).values(), number, state.name)
