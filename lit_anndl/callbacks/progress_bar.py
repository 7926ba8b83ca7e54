"""A progress bar that costs nothing on tiny nets."""

import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from tqdm import tqdm

REFRESH_SECONDS = 0.2
_SHOWN_METRICS = 2


class ProgressBar(Callback):
    """One bar over all epochs with the latest metrics, drawn by time; silent where there is no terminal."""

    def __init__(self) -> None:
        self.bar: tqdm[Any] | None = None
        self.drawn = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Opens the bar, at the epoch where training starts or goes on."""
        epochs = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else None
        self.bar = tqdm(
            total=epochs,
            initial=trainer.current_epoch,
            disable=None if trainer.is_global_zero else True,
            unit="epoch",
            leave=False,
            mininterval=REFRESH_SECONDS,
            bar_format="{l_bar}{bar:20}| {n:.1f}/{total} epochs [{elapsed}<{remaining}{postfix}]",
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar by a training step's share of the epoch."""
        if self.bar is None or self.bar.disable or (now := time.monotonic()) - self.drawn < REFRESH_SECONDS:
            return
        self.drawn = now
        self.bar.n = trainer.current_epoch + (batch_idx + 1) / trainer.num_training_batches
        latest = sorted(trainer.callback_metrics.items(), reverse=True)[:_SHOWN_METRICS]  # val/ before train/
        self.bar.set_postfix({name: f"{float(value):.4g}" for name, value in latest})

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the bar away; the table of results follows."""
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Takes the bar away before the message."""
        self._close()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
