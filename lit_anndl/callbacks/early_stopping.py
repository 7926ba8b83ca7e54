"""Early stopping."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from jsonargparse.typing import NonNegativeFloat, PositiveInt
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch import callbacks as lightning

from lit_anndl.modules.exercise import Exercise

_BEST_EPOCH = "best/epoch"
"""The metric that says after which epoch, counted from 0, the tested weights were reached."""


class EarlyStopping(lightning.EarlyStopping):
    """Ends training when the checkpoint's metric has not improved for a while; the best weights are the ones tested.

    The best weights are those of any epoch at which the metric was measured, while `best.ckpt` looks every
    `checkpoint.every_n_epochs` only. They are kept in memory, and with the state of this callback in `last.ckpt`,
    whose own weights are the last ones, for a run that goes on. Epochs that do not measure the metric do not count.
    Of training in phases the last phase alone is looked at: none before it is cut short, and its weights are the ones
    compared (`best.ckpt` compares those of all phases that measure the metric).

    Args:
        patience: measurements without improvement to wait, one per epoch as a rule; null never to stop early.
        min_delta: what is less counts as no improvement.
        monitor: the metric, that of the checkpoint.
        mode: "min" or "max".
    """

    def __init__(
        self,
        patience: PositiveInt | None = None,
        min_delta: NonNegativeFloat = 0.0,
        monitor: str = "val/loss",
        mode: Literal["min", "max"] = "min",
    ) -> None:
        self.wanted = patience is not None
        super().__init__(
            monitor,
            float(min_delta),
            int(patience or 1),  # a plain number: it goes to checkpoints
            mode=mode,
            check_on_train_epoch_end=monitor.startswith("train/"),
        )
        self.best_weights: dict[str, torch.Tensor] = {}
        self.best_metrics: dict[str, torch.Tensor] = {}
        self.best_epoch = 0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Trains no further when it is a run that had been stopped, interrupted before its test."""
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks at the metric, if it is one of training."""
        self._look(super().on_train_epoch_end, trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks at the metric, if it is one of validation, while the weights that were validated are still in place."""
        self._look(super().on_validation_end, trainer, pl_module)

    def best(self) -> dict[str, torch.Tensor]:
        """What validation says of the best weights, and their epoch; nothing if it was never measured.

        It stands under the metrics' own names, for these weights are tested, and as `best/val/…`, for the store has the
        learning curves under those.
        """
        if not self.best_weights:
            return {}
        copies = {f"best/{name}": value for name, value in self.best_metrics.items()}
        return {**self.best_metrics, **copies, _BEST_EPOCH: torch.tensor(float(self.best_epoch))}

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts the best weights in place."""
        if self.best_weights:
            pl_module.load_state_dict(self.best_weights)

    def state_dict(self) -> dict[str, Any]:
        """The state of waiting, and the best weights."""
        best = {name: getattr(self, name) for name in ("best_weights", "best_metrics", "best_epoch")}
        return {**super().state_dict(), **best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes both over; patience is as the command says."""
        patience = self.patience
        super().load_state_dict(state_dict)
        self.patience = patience
        self.best_weights, self.best_epoch = state_dict["best_weights"], state_dict["best_epoch"]
        self.best_metrics = state_dict.get("best_metrics", {self.monitor: self.best_score})  # older ones lack them

    def _look(
        self, wait: Callable[[Trainer, LightningModule], None], trainer: Trainer, module: LightningModule
    ) -> None:
        """Waits, or stops; keeps the weights if they are better.

        Without the metric there is nothing to look at, nor is there before the last phase.
        """
        phases = module.phases if isinstance(module, Exercise) else None
        if self.monitor not in trainer.callback_metrics or (phases and not phases.is_last(trainer.current_epoch)):
            return
        before = self.best_score
        wait(trainer, module)
        if self.best_score is not before:
            self.best_weights = {name: tensor.clone() for name, tensor in trainer.lightning_module.state_dict().items()}
            measured = {name: value for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
            self.best_metrics = {**measured, self.monitor: self.best_score}
            self.best_epoch = trainer.current_epoch
