"""The sign of life of a worker at its trials."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from optuna import Trial
from optuna.exceptions import UpdateFinishedTrialError

from lit_anndl.studies.background import in_background
from lit_anndl.studies.claiming import mark_alive
from lit_anndl.studies.database import UNREACHABLE
from lit_anndl.studies.study import OpenStudy

_SECONDS = 20.0


@contextmanager
def heartbeat(trials: Sequence[Trial], opened: OpenStudy, lost: Mapping[int, threading.Event]) -> Iterator[None]:
    """Notes every few seconds that this worker lives, and sets the event of a trial that is no more its own."""

    def beat(trial: Trial) -> None:
        try:
            mark_alive(trial)
        except UpdateFinishedTrialError:
            lost[trial.number].set()

    def keep_beating(done: threading.Event) -> None:
        while not done.wait(_SECONDS):
            with suppress(*UNREACHABLE):  # who works waits for it, too
                for trial in trials:
                    beat(trial)
                opened.parent.heartbeat()

    with in_background(keep_beating, "heartbeat"):
        yield
