"""Where a run's seconds go."""

import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_anndl.runtime.records import SHARED_BY, Table


class Timing(Callback):
    """Measures the fit, its epochs and the way to the first step, in seconds of wall time, or of another clock.

    Args:
        started: when the command started, as `time.time()`.

    Attributes:
        shared_by: how many runs at most have shared what took their steps together; 1 for a run by itself.
    """

    def __init__(self, started: float) -> None:
        self.started = started
        self.count_by(time.perf_counter)
        self.shared_by = 1
        self.to_first_step: float | None = None
        self.elapsed: list[float] = []
        self.fit_seconds = 0.0
        self._fit_began = 0.0

    def count_by(self, clock: Callable[[], float]) -> None:
        """Counts by the seconds of a clock from now on; until now they were those of wall time."""
        self._clock = clock
        self._start = clock() - (time.time() - self.started)

    def state_dict(self) -> dict[str, Any]:
        """The seconds of fit so far, for a run that goes on later."""
        return {"fit_seconds": self._now(), "elapsed": self.elapsed, "shared_by": self.shared_by}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Counts on from the seconds of an interrupted fit."""
        self.fit_seconds, self.elapsed = state_dict["fit_seconds"], list(state_dict["elapsed"])
        self.shared_by = state_dict.get("shared_by", 1)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock of the fit, where it stood."""
        self._fit_began = self._clock() - self.fit_seconds

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Notes the end of the first training step (which may take several optimizer steps)."""
        if self.to_first_step is None:
            self.to_first_step = self._clock() - self._start

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the end of an epoch, its validation included."""
        self.elapsed.append(self._now())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock of the fit, once the device has done its work."""
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize()
        self.fit_seconds = self._now()

    def metrics(self) -> dict[str, float]:
        """`seconds/fit`, `seconds/epoch` (median) and `seconds/first_step` (since the command started).

        Where they are shares of what several runs took together, `seconds_shared_by` says of how many.
        """
        epochs = [end - start for start, end in pairwise([0.0, *self.elapsed])]
        return {
            "seconds/fit": self.fit_seconds,
            **({"seconds/epoch": median(epochs)} if epochs else {}),
            **({"seconds/first_step": self.to_first_step} if self.to_first_step is not None else {}),
            **({SHARED_BY: self.shared_by} if self.shared_by > 1 else {}),
        }

    def table(self) -> Table:
        """The seconds of fit at the end of each epoch, interruptions left out."""
        return {"epoch": list(range(len(self.elapsed))), "seconds": self.elapsed}

    def _now(self) -> float:
        return self._clock() - self._fit_began
