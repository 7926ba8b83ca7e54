"""When training is written to disk, and how it is read back."""

import io
import signal
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from jsonargparse.typing import PositiveInt
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_anndl.callbacks.ranks import random_states
from lit_anndl.data.data_module import DataModule
from lit_anndl.data.streams import DRAWN
from lit_anndl.runtime.deferral import Deferral
from lit_anndl.runtime.errors import InputError, RunFailure
from lit_anndl.runtime.files import link_atomically, write_atomically
from lit_anndl.runtime.interruption import Interruption

_LONGEST_UNSAVED_SECONDS = 30.0
"""How much training a power cut may cost, where epochs are shorter."""


class Checkpoint(ModelCheckpoint):
    """Keeps `best.ckpt` by a monitored metric and `last.ckpt`, both in the run's `checkpoints/`.

    Checkpoints are written between epochs only, random state and position in the data included, so that a resumed
    run is the uninterrupted one, bit for bit on a CPU. A signal waits for the end of the epoch.

    Args:
        monitor: the metric that `best.ckpt` is chosen by; never a test metric.
        mode: "min" or "max".
        every_n_epochs: how often to look; tiny nets look rarely, for writing costs more than their epoch.
            `last.ckpt` is written after half a minute at the latest all the same.
    """

    def __init__(
        self, monitor: str = "val/loss", mode: Literal["min", "max"] = "min", every_n_epochs: PositiveInt = 1
    ) -> None:
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
        self._deferral = Deferral()
        self._written = time.monotonic()
        self._is_looked_at = False  # whether the weights as they are have been compared with the best
        self._is_best = False  # whether they are the best, and have just been written
        self._is_validated = False  # whether the epoch's weights have been
        self._random_states: list[dict[str, Any]] = []

    @property
    def interruption(self) -> Interruption | None:
        """The signal that waits, or has waited, for the end of the epoch."""
        return self._deferral.pending

    def state_dict(self) -> dict[str, Any]:
        """The state of choosing the best, and of the random number generators of all ranks."""
        first, *others = random_states()
        random = {"random_state": first, "other_ranks": others}
        return {**super().state_dict(), **random, "is_looked_at": self._is_looked_at}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the state over, the checkpoints' folder moved or not; the generators get theirs when the fit starts."""
        state = {**state_dict, "dirpath": self.dirpath}
        self._random_states = [state.pop("random_state"), *state.pop("other_ranks", [])]  # older ones are of one rank
        state.pop("looked_at_step", None)  # of older ones
        self._is_looked_at = state.pop("is_looked_at", False)
        for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
            state[key] = self._here(state[key])
        state["best_k_models"] = {self._here(path): value for path, value in state["best_k_models"].items()}
        super().load_state_dict(state)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores the random state, before data loaders may draw from it."""
        if self._random_states:
            state = self._random_states[trainer.global_rank]
            torch.set_rng_state(state["cpu"])
            if "cuda" in state and torch.cuda.is_available():
                torch.cuda.set_rng_state(state["cuda"])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the start, so that there is always something to resume from; from here on signals wait."""
        super().on_train_start(trainer, pl_module)
        if trainer.current_epoch == 0:
            self._save_last(trainer)
        self._deferral.start()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The weights will have changed."""
        self._is_validated = self._is_best = False

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes that they have been validated."""
        super().on_validation_end(trainer, pl_module)
        self._is_validated = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks at every n-th epoch; writes the others when it is time or a signal waits, which is raised then.

        Processes that train together decide together: writing is a common act, and none may wait for one that left.
        """
        any_process = partial(trainer.strategy.reduce_boolean_decision, all=False)
        interrupted = any_process(self._deferral.pending is not None)
        epochs = trainer.current_epoch + 1
        due = epochs % self._every_n_epochs == 0 or epochs == trainer.max_epochs
        self._is_looked_at = False
        if due:
            self._look(trainer)
        if due or interrupted or any_process(time.monotonic() - self._written > _LONGEST_UNSAVED_SECONDS):
            self._save_last(trainer)
        if interrupted:
            self._deferral.raise_pending()
            raise Interruption(signal.SIGTERM)  # another process has been asked

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks at the last epoch too, where training ended earlier than planned; raises a signal that came late."""
        self._deferral.stop()
        if not self._is_looked_at:
            self._look(trainer)
            self._save_last(trainer)
        self._deferral.raise_pending()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Writes nothing: in the middle of an epoch there is nothing that could be resumed exactly."""
        self._deferral.stop()

    def _here(self, path: str) -> str:
        """A checkpoint's path in this run's folder, which may have stood elsewhere when it was written."""
        return str(Path(str(self.dirpath)) / Path(path).name) if path else path

    def _look(self, trainer: Trainer) -> None:
        """Keeps the weights as the best, if they are; not where the metric is of earlier weights, or of other data."""
        self._is_looked_at = True
        is_measured = self._is_validated or not str(self.monitor).startswith("val/")
        data: DataModule = trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it in fit
        is_of_own = trainer.current_epoch >= data.epochs_before
        if is_measured and is_of_own and self.monitor in trainer.callback_metrics:
            written = self._written
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))
            self._is_best = self._written > written

    def _save_last(self, trainer: Trainer) -> None:
        """Writes `last.ckpt`, or makes it a second name of `best.ckpt`, where that has just been written."""
        self.save_last = "link" if self._is_best else True
        self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    @staticmethod
    def _link_checkpoint(trainer: Trainer, filepath: str, linkpath: str) -> None:
        if trainer.is_global_zero:
            with _whole_before(linkpath):
                link_atomically(Path(filepath), Path(linkpath))
        trainer.strategy.barrier()

    def _save_checkpoint(self, trainer: Trainer, filepath: str) -> None:
        for logger in trainer.loggers:
            logger.save()  # first, or a crash right after would leave a gap before the epoch to resume from
        super()._save_checkpoint(trainer, filepath)
        self._written = time.monotonic()


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its final name and moves it there when it is whole and on the disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Writes a checkpoint.

        Raises:
            RunFailure: it cannot be written; what was under the name before is still there, whole.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with _whole_before(path):
            write_atomically(Path(path), content.getvalue())


@contextmanager
def _whole_before(path: str | Path) -> Iterator[None]:
    """Says of a file that cannot be written in here what is left."""
    try:
        yield
    except OSError as error:
        raise RunFailure(f"{path} cannot be written ({error.strerror}); the one before it is whole") from error


def read_checkpoint(path: Path, exercise: str, model: LightningModule, processes: int | None = None) -> dict[str, Any]:
    """A checkpoint, read to the end, with nothing executed that is in it.

    Args:
        path: the file.
        exercise: whose it should be.
        model: for whose network.
        processes: how many are to go on with it; None if none is.

    Raises:
        InputError: it is truncated or altered, of another exercise, of another network, of another number of
            processes, or of a version that drew other data.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        content = {} if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file makes the readers raise
        raise InputError(f"{path} is no whole checkpoint: {' '.join(str(error).split())[:160]}") from error
    if damaged:
        raise InputError(f"{path} was altered: the checksum of {damaged} differs")
    if not isinstance(content, dict) or not {"exercise", "state_dict", "loops", "callbacks"} <= content.keys():
        raise InputError(f"{path} is no checkpoint of a run")
    if content["exercise"] != exercise:
        raise InputError(f"{path} is a checkpoint of {content['exercise']}, not of {exercise}")
    if shapes(content["state_dict"]) != shapes(model.state_dict()):
        raise InputError(f"{path} is a checkpoint of another network: its parameters differ in name or shape")
    if processes and (before := content.get("processes", 1)) != processes:
        raise InputError(f"{path} is a checkpoint of a run on {before} devices, which {processes} cannot go on with")
    if processes and content.get("drawn") != DRAWN:
        raise InputError(f"{path} is of an earlier version, in which a seed gave other data; begin the run anew")
    return content


def shapes(state: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    """The shape of each parameter."""
    return {name: tensor.shape for name, tensor in state.items()}
