"""When training is written to disk."""

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint


class Checkpoint(ModelCheckpoint):
    """Keeps `best.ckpt` by a monitored metric and `last.ckpt`, both in the run's `checkpoints/`.

    Args:
        monitor: the metric that `best.ckpt` is chosen by; never a test metric.
        mode: "min" or "max".
        every_n_epochs: how often to look; tiny nets look rarely, for writing costs more than their epoch.
    """

    def __init__(self, monitor: str = "val/loss", mode: str = "min", every_n_epochs: int = 1) -> None:
        super().__init__(
            filename="best",
            monitor=monitor,
            mode=mode,
            every_n_epochs=every_n_epochs,
            save_last=True,
            auto_insert_metric_name=False,
            enable_version_counter=False,
            save_on_train_epoch_end=True,
        )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks at every n-th epoch; the others cost nothing."""
        if (trainer.current_epoch + 1) % self._every_n_epochs == 0:
            super().on_train_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks at the last epoch too, when it is not one of every n."""
        if self._last_global_step_saved != trainer.global_step:
            candidates = self._monitor_candidates(trainer)
            self._save_topk_checkpoint(trainer, candidates)
            self._save_last_checkpoint(trainer, candidates)
