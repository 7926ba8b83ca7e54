"""Averages of the weights over the training steps."""

from itertools import chain
from typing import Any

import torch
from jsonargparse.typing import OpenUnitInterval
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch import callbacks as lightning
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from lit_anndl.modules.exercise import Exercise
from lit_anndl.modules.restore import match_precision


class WeightAveraging(lightning.WeightAveraging):
    """Validates, keeps and tests the exponential moving average of the weights.

    w̄ ← d w̄ + (1 - d) w after each optimizer step, in lumps of `data.steps_per_execution`: after n steps at once
    w̄ ← dⁿ w̄ + (1 - dⁿ) w, so that what was learnt longer ago weighs the same whatever n is. The first lump is taken
    as it is, and so is that of each phase, where there are several, for what is frozen from then on stands still in
    training. Running statistics of batch normalization are averaged alike, counters and flags are copied. What is
    trained, w, goes on beside it, and into checkpoints for a run that is resumed (Polyak & Juditsky, SIAM J. Control
    Optim. 30, 1992; as a moving average e.g. Tarvainen & Valpola, 2017).

    Args:
        decay: d per optimizer step, how slowly the average follows, 0.99 for about the last hundred steps; null for no
            average.
    """

    def __init__(self, decay: OpenUnitInterval | None = None) -> None:
        self.wanted = decay is not None
        self.decay = float(decay or 0.0)
        self._steps = 1  # since the average was updated last
        super().__init__(multi_avg_fn=self._follow)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Takes over both, each in the precision that it was saved in."""
        if self._average_model is not None and "current_model_state" in checkpoint:
            match_precision(self._average_model.module, checkpoint["state_dict"])
            match_precision(pl_module, checkpoint["current_model_state"])
        super().on_load_checkpoint(trainer, pl_module, checkpoint)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Moves the average to the device and precision of the weights, which had neither when it was made."""
        assert self._average_model is not None
        average = self._average_model.module
        pairs = zip(
            chain(average.parameters(), average.buffers()),
            chain(pl_module.parameters(), pl_module.buffers()),
            strict=True,
        )
        for averaged, trained in pairs:
            averaged.data = averaged.data.to(trained)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins the average anew with a phase."""
        assert self._average_model is not None
        if isinstance(pl_module, Exercise) and pl_module.phases and pl_module.phases.begins(trainer.current_epoch):
            self._average_model.n_averaged.zero_()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Updates the average by the optimizer steps that were taken."""
        self._steps = trainer.global_step - self._latest_update_step
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing yet: early stopping keeps the weights that were validated at the validation's very end."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts the weights back that are trained."""
        super().on_validation_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing yet: the last checkpoint is to hold both."""

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts the average in place, which is tested."""
        super().on_train_end(trainer, pl_module)

    def _follow(self, averaged: list[Tensor], trained: list[Tensor], updates: Tensor | int) -> None:
        """Moves averages of one type towards the weights."""
        if averaged[0].is_floating_point():
            get_ema_multi_avg_fn(self.decay**self._steps)(averaged, trained, updates)
        else:
            torch._foreach_copy_(averaged, trained)
