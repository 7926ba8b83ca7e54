"""Where a run's seconds go."""

import time
from statistics import median
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class Timing(Callback):
    """Measures the fit, its epochs and the way to the first step, in seconds of wall time.

    Args:
        started: when the command started, as `time.time()`.
    """

    def __init__(self, started: float) -> None:
        self.started = started
        self.to_first_step: float | None = None
        self.epoch_ends: list[float] = []
        self.fit_seconds = 0.0
        self.seconds_before = 0.0

    def state_dict(self) -> dict[str, float]:
        """The seconds of fit so far, for a run that goes on later."""
        return {"fit_seconds": self.seconds_before + time.perf_counter() - self.epoch_ends[0]}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Counts on from the seconds of an interrupted fit."""
        self.seconds_before = state_dict["fit_seconds"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock of the fit."""
        self.epoch_ends.append(time.perf_counter())

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Notes the end of the first training step (which may take several optimizer steps)."""
        if self.to_first_step is None:
            self.to_first_step = time.time() - self.started

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the end of an epoch, its validation included."""
        self.epoch_ends.append(time.perf_counter())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock of the fit, once the device has done its work."""
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize()
        self.fit_seconds = self.seconds_before + time.perf_counter() - self.epoch_ends[0]

    def metrics(self) -> dict[str, float]:
        """`seconds/fit`, `seconds/epoch` (median) and `seconds/first_step` (since the command started)."""
        epochs = [end - start for start, end in zip(self.epoch_ends, self.epoch_ends[1:], strict=False)]
        return {
            "seconds/fit": self.fit_seconds or self.seconds_before,
            **({"seconds/epoch": median(epochs)} if epochs else {}),
            **({"seconds/first_step": self.to_first_step} if self.to_first_step is not None else {}),
        }
