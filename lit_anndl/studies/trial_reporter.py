"""What a trial's runs tell the study while they go on, and what ends them."""

from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any, TypeVar

from lightning.pytorch import Callback, LightningModule, Trainer
from optuna import Trial
from optuna.exceptions import UpdateFinishedTrialError

from lit_anndl.runtime.errors import Stopped
from lit_anndl.studies.database import retry
from lit_anndl.tracking.tracker import Tracker

_T = TypeVar("_T")

_REPORTS = 50
"""How often a run's metric is reported to the pruner at most: each time costs some milliseconds."""

_TAKEN_OVER = "another worker has taken the trial over"


class Pruned(Stopped):
    """The pruner has given a trial up."""


class TrialTakenOver(Stopped):
    """Others believe this worker dead, and another one has its trial."""


class TrialReporter(Callback):
    """Tells the study which run a trial is at and how it does, and ends what the study has given up.

    An epoch is reported when the next begins: its checkpoint is written by then.

    Args:
        trial: the trial.
        seed: of the run.
        metric: what the pruner looks at, None without a pruner.
        first_step: where the run's epochs begin among those of the trial.
        lost: set when the trial has been taken away.
    """

    def __init__(self, trial: Trial, seed: int, metric: str | None, first_step: int, lost: Event) -> None:
        self.trial = trial
        self.seed = seed
        self.metric = metric
        self.first_step = first_step
        self.lost = lost
        self.reported: set[int] = set()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the run, for whoever has to go on with it."""
        assert isinstance(trainer.logger, Tracker)
        note(self.trial, "runs", self.seed, trainer.logger.run_id)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reports the epochs before; raises Pruned, or TrialTakenOver."""
        if self.lost.is_set():
            raise TrialTakenOver(_TAKEN_OVER)
        if self._report(trainer) and on_own_trial(self.trial.should_prune):
            raise Pruned(f"pruned at epoch {trainer.current_epoch}")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reports the last epoch, which is too late to prune."""
        self._report(trainer)

    def _report(self, trainer: Trainer) -> bool:
        if self.metric is None:
            return False
        assert isinstance(trainer.logger, Tracker)
        every = max(1, (trainer.max_epochs or 1) // _REPORTS)
        fresh = {
            self.first_step + epoch: value
            for epoch, value in trainer.logger.history.get(self.metric, [])
            if epoch % every == 0 and self.first_step + epoch not in self.reported
        }
        for step, value in fresh.items():
            on_own_trial(partial(self.trial.report, value, step))
        self.reported |= fresh.keys()
        return bool(fresh)


def note(trial: Trial, attribute: str, seed: int, value: Any) -> None:
    """Keeps something of one seed's run with the trial."""
    noted = {**trial.user_attrs.get(attribute, {}), str(seed): value}
    on_own_trial(lambda: trial.set_user_attr(attribute, noted))


def on_own_trial(action: Callable[[], _T]) -> _T:
    """The result of an action on a trial that this worker has, tried again while the database is away.

    Raises:
        TrialTakenOver: it has it no more.
    """
    try:
        return retry(action)
    except UpdateFinishedTrialError as error:
        raise TrialTakenOver(_TAKEN_OVER) from error
