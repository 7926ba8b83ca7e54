"""How far training is, at a terminal and without one, at no cost for tiny nets."""

import sys
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from tqdm import tqdm

from lit_anndl.modules.exercise import Exercise
from lit_anndl.runtime.terminal import announce

_REFRESH_SECONDS = 0.2
_LINE_SECONDS = 10.0
_SHOWN_METRICS = 2


def progress() -> list[Callback]:
    """What shows a run's progress: which run it is, then a bar at a terminal or else lines."""
    return [Beginning(), ProgressBar() if sys.stderr.isatty() else ProgressLines()]


class Beginning(Callback):
    """Says which run trains, at which epoch it begins or goes on, and whether it ends before what its model plans."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the line."""
        if trainer.is_global_zero:
            assert isinstance(pl_module, Exercise)
            asked = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else None
            planned = pl_module.planned_epochs(pl_module.arguments) if pl_module.arguments else None
            epochs = "without end" if asked is None else str(asked)
            early = f", of {planned} planned" if asked and planned and asked < planned else ""
            run = f"run {trainer.logger.version}" if trainer.logger else "not recorded"
            goes_on = "goes on" if trainer.current_epoch else "begins"
            announce(f"training {goes_on} with epoch {trainer.current_epoch + 1} of {epochs}{early} ({run})")


class ProgressBar(Callback):
    """One bar over all epochs with the latest metrics, drawn by time."""

    def __init__(self) -> None:
        self.bar: tqdm[Any] | None = None
        self.drawn = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Opens the bar, at the epoch where training starts or goes on."""
        epochs = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else None
        self.bar = tqdm(
            total=epochs,
            initial=trainer.current_epoch,
            disable=not trainer.is_global_zero,
            unit="epoch",
            leave=False,
            mininterval=_REFRESH_SECONDS,
            bar_format="{l_bar}{bar:20}| {n:.1f}/{total} epochs [{elapsed}<{remaining}{postfix}]",
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar by a training step's share of the epoch."""
        if self.bar is None or self.bar.disable or (now := time.monotonic()) - self.drawn < _REFRESH_SECONDS:
            return
        self.drawn = now
        self.bar.n = _epochs_done(trainer, batch_idx)
        self.bar.set_postfix(latest_metrics(trainer))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the bar away; the table of results follows."""
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Takes the bar away before the message."""
        self._close()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()


class ProgressLines(Callback):
    """A line now and then for whoever reads a log: epoch, latest metrics, seconds that are left."""

    def __init__(self) -> None:
        self.began_at = 0.0
        self.began = self.written = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self.began_at = float(trainer.current_epoch)
        self.began = self.written = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Writes a line if the last one is old."""
        now = time.monotonic()
        if now - self.written >= _LINE_SECONDS and trainer.is_global_zero:
            self.written = now
            print(self._line(trainer, _epochs_done(trainer, batch_idx), now - self.began), flush=True)

    def _line(self, trainer: Trainer, done: float, seconds: float) -> str:
        """What the log says after so many epochs and seconds."""
        run = [f"run {trainer.logger.version}"] if trainer.logger else []
        parts = [f"{name} {value}" for name, value in latest_metrics(trainer).items()]
        if (epochs := trainer.max_epochs) and epochs > 0:
            left = seconds * (epochs - done) / (done - self.began_at)
            return ", ".join([f"epoch {done:.1f} of {epochs}", *parts, f"{left:.0f} s left", *run])
        return ", ".join([f"epoch {done:.1f}", *parts, *run])


def latest_metrics(trainer: Trainer) -> dict[str, str]:
    """The metrics of the last epoch that had some, val/ before train/."""
    latest = sorted(trainer.callback_metrics.items(), reverse=True)[:_SHOWN_METRICS]
    return {name: f"{float(value):.4g}" for name, value in latest}


def _epochs_done(trainer: Trainer, batch_idx: int) -> float:
    """How many epochs are done after a training step, parts of one included."""
    return float(trainer.current_epoch + (batch_idx + 1) / trainer.num_training_batches)
