"""One run from configuration to metrics: the only place that composes seed, data, model, Trainer and tracker."""

import math
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jsonargparse import ArgumentError, Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningDataModule, Trainer, seed_everything
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from lit_anndl import provenance
from lit_anndl.configuration import Configuration
from lit_anndl.errors import InputError, LostConnection, RunFailure, Stopped, TakenOver
from lit_anndl.interruption import deferring, ignoring_signals
from lit_anndl.tracking.leftovers import open_store
from lit_anndl.tracking.store import Store, first_line
from lit_anndl.tracking.tracker import Tracker
from lit_anndl.training.checkpoint import AtomicCheckpointIO, Checkpoint, check_checkpoint
from lit_anndl.training.early_stopping import EarlyStopping
from lit_anndl.training.exercise import Exercise
from lit_anndl.training.memory import state_bytes
from lit_anndl.training.parallel import (
    OwnSignals,
    RankStream,
    check_processes,
    check_strategy,
    is_lost_connection,
    processes_to_start,
)
from lit_anndl.training.progress import Progress
from lit_anndl.training.threads import ThreadChoice, check_threads
from lit_anndl.training.timing import ELAPSED, Timing

TOO_LARGE = re.compile(r"allocate \d\S* \w+|MemoryError|\w*[Oo]verflow\w*")
"""What torch, NumPy and Python say of it."""


@dataclass(frozen=True)
class Result:
    """What a finished run leaves: its metrics, and where the tracker keeps it (None without one)."""

    metrics: dict[str, float]
    run_id: str | None
    tracking_uri: str | None


@dataclass(frozen=True)
class Parts:
    """What a run is composed of."""

    model: Exercise
    data: LightningDataModule
    trainer: Trainer
    timing: Timing
    tracker: Tracker | None
    checkpoint: Path | None

    @property
    def processes(self) -> int:
        """How many processes are to be started, each of which runs; 1 if it is this one that runs."""
        return processes_to_start(self.trainer)


def run(
    configuration: Configuration,
    started: float | None = None,
    *,
    callbacks: Sequence[Callback] = (),
    tags: Mapping[str, str] = MappingProxyType({}),
    varied: Collection[str] = (),
) -> Result:
    """Trains and tests as configured, with the tracker's record told the truth whatever happens.

    Args:
        configuration: what to run.
        started: when the user's command started, as `time.time()`, for `seconds/first_step`; now by default.
        callbacks: others beside those of the configuration.
        tags: others beside the run's own.
        varied: settings that are recorded as parameters, whatever their values.

    Raises:
        InputError: a part refuses its settings; then no run is left behind.
    """
    parts = compose(configuration, time.time() if started is None else started, callbacks)
    if parts.processes > 1:
        raise InputError(f"trainer.devices: a single process runs here, {parts.processes} were asked for")
    return execute(parts, configuration, tags, varied)


def execute(
    parts: Parts,
    configuration: Configuration,
    tags: Mapping[str, str] = MappingProxyType({}),
    varied: Collection[str] = (),
) -> Result:
    """Trains and tests what was composed; see `run`."""
    if parts.tracker is None:
        return Result(train_and_test(parts), None, None)
    return tracked(parts, parts.tracker, configuration, tags, configuration.parameters(varied))


def compose(configuration: Configuration, started: float, callbacks: Sequence[Callback] = ()) -> Parts:
    """Seeds, builds and checks everything that can be wrong before a run is recorded."""
    values = configuration.values
    seed_everything(values.seed_everything, workers=True, verbose=False)
    with refusing():
        check_strategy(values.trainer.strategy)
        check_threads(values.threads)
        objects = build(configuration)
        objects.model.configure_optimizers()
        timing = Timing(started)
        leads = getattr(rank_zero_only, "rank", 0) == 0
        tracker = Tracker(configuration.exercise, open_store()) if recorded(values) and leads else None
        own = [timing, ThreadChoice(values.threads), RankStream(), OwnSignals()]
        trainer = make_trainer(objects, [*callbacks, *own], tracker)
        check_processes(trainer, objects.data, objects.model, values.trainer.sync_batchnorm)
        checkpoint = checkpoint_of(configuration, objects.model, trainer.world_size) if values.resume else None
    return Parts(objects.model, objects.data, trainer, timing, tracker, checkpoint)


def build(configuration: Configuration) -> Namespace:
    """Model, data and callbacks, checked; the data are fetched and read."""
    objects = configuration.instantiate()
    objects.data.prepare_data()
    objects.data.setup("fit")
    check(objects)
    return objects


@contextmanager
def refusing() -> Iterator[None]:
    """Within it parts are built: what they refuse, and sizes that no memory holds, are the user's to mend."""
    try:
        yield
    except (MisconfigurationException, ValueError, ArgumentError) as error:
        raise input_error(error) from error
    except (MemoryError, OverflowError, RuntimeError) as error:  # RuntimeError: torch's
        if not TOO_LARGE.search(repr(error)):
            raise
        raise input_error(error) from error


def input_error(error: BaseException) -> InputError:
    """The InputError that a part raised, dug out of what jsonargparse wraps around it; or else the error as one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError):
            return cause
        cause = cause.__cause__ or cause.__context__
    if found := TOO_LARGE.search(repr(error)):
        return InputError(f"these sizes do not fit into memory ({found[0]}); expected smaller ones")
    return InputError(" ".join(str(error).split()))


def checkpoint_of(configuration: Configuration, model: Exercise, processes: int) -> Path | None:
    """The checked checkpoint of the run to go on with, None if it has written none yet; each rank needs it."""
    store = Store()
    path = store.last_checkpoint(store.run(configuration.values.resume))
    if path:
        check_checkpoint(path, configuration.exercise, model, processes)
    return path


def recorded(values: Namespace) -> bool:
    """Whether the run is to leave a record: `--trainer.logger false` asks for none, checkpoints included."""
    return values.trainer.logger is not False


def check(objects: Namespace) -> None:
    """Refuses what Lightning would only notice in the middle, or not at all."""
    for option, neutral in (("gradient_clip_val", None), ("accumulate_grad_batches", 1)):
        if objects.trainer[option] not in (neutral, 0):
            raise InputError(f"trainer.{option} has no effect here: the exercises take their own optimizer steps")
    objects.model.build(objects.data)
    objects.model.check(objects.data)
    monitor = objects.checkpoint.monitor
    if monitor not in objects.model.metrics():
        choices = ", ".join(name for name in objects.model.metrics() if name.startswith(("train/", "val/")))
        raise InputError(f"checkpoint.monitor {monitor}: expected one of {choices}")
    if not monitor.startswith(("train/", "val/")):
        raise InputError(
            f"checkpoint.monitor {monitor}: expected a metric of train/ or val/; the test set chooses nothing"
        )
    if monitor.startswith("val/") and not has_validation(objects.data):
        raise InputError(f"checkpoint.monitor {monitor} needs validation data: hold some out, or monitor train/…")


def has_validation(data: LightningDataModule) -> bool:
    """Whether the data module holds out examples for validation."""
    return getattr(data, "validation", None) != ()


def check_data(configuration: Configuration) -> bool:
    """Fetches and reads the data of a configuration; returns whether some is held out for validation.

    Raises:
        InputError: it refuses its settings, or cannot be had.
    """
    with refusing():
        return has_validation(build(configuration).data)


def make_trainer(objects: Namespace, callbacks: list[Callback], tracker: Tracker | None) -> Trainer:
    """The Trainer, with the project's callbacks after the user's.

    Raises:
        InputError: it refuses its settings.
    """
    options: dict[str, Any] = vars(objects.trainer)
    callbacks = [*(options["callbacks"] or []), *callbacks]
    if objects.early_stopping.wanted:
        callbacks.append(objects.early_stopping)
    if options["enable_progress_bar"]:
        callbacks.append(Progress())
    if checkpoints := options["enable_checkpointing"] and recorded(objects):
        callbacks.append(objects.checkpoint)
    options = {
        **options,
        "callbacks": callbacks,
        "logger": tracker or False,
        "limit_val_batches": options["limit_val_batches"] if has_validation(objects.data) else 0,
        "enable_checkpointing": checkpoints,
        "plugins": [*(options["plugins"] or []), AtomicCheckpointIO()],
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    try:
        return Trainer(**options)
    except TypeError as error:  # of devices that are no such numbers
        raise InputError(f"trainer: {' '.join(str(error).split())}") from error


def train_and_test(parts: Parts) -> dict[str, float]:
    """Fits, from the checkpoint if there is one, tests the final weights once, and returns all metrics.

    Raises:
        RunFailure: Lightning refuses the settings after all; a metric is infinite; other processes have gone.
    """
    try:
        measured = fit_and_test(parts)
    except MisconfigurationException as error:
        raise RunFailure(" ".join(str(error).split())) from error
    except RuntimeError as error:
        if not is_lost_connection(error):
            raise
        callback = parts.trainer.checkpoint_callback
        if isinstance(callback, Checkpoint) and callback.interruption:
            raise callback.interruption from error  # what the others left for
        raise LostConnection(f"the connection to the other processes is lost: {first_line(error)}") from error
    metrics = {name: float(value) for name, value in measured.items()}
    if infinite := [f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)]:
        raise RunFailure(f"{infinite[0]} after the last step: try a smaller learning rate (--model.optimizer.lr)")
    return {**metrics, **sizes(parts), **parts.timing.metrics()}


def fit_and_test(parts: Parts) -> dict[str, Tensor]:
    """What Lightning measures in the fit and in the test."""
    trainer = parts.trainer
    trainer.fit(parts.model, datamodule=parts.data, ckpt_path=parts.checkpoint, weights_only=True)
    measured = dict(trainer.callback_metrics)
    if isinstance(stopping := trainer.early_stopping_callback, EarlyStopping):
        measured |= stopping.best()
    trainer.test(parts.model, datamodule=parts.data, verbose=False)
    return {**measured, **trainer.callback_metrics}


def sizes(parts: Parts) -> dict[str, float]:
    """`parameters`, the trainable ones, and `bytes/optimizer`, what the optimizers remember from step to step."""
    return {
        "parameters": sum(p.numel() for p in parts.model.parameters() if p.requires_grad),
        "bytes/optimizer": sum(map(state_bytes, parts.trainer.optimizers)),
    }


def tracked(
    parts: Parts, tracker: Tracker, configuration: Configuration, tags: Mapping[str, str], parameters: Mapping[str, Any]
) -> Result:
    """A recorded run: begun or gone on with, trained, tested, shown, ended with its true status."""
    try:
        begin(parts, tracker, configuration, tags, parameters)
        metrics = train_and_test(parts)
        earlier = {name: pairs[-1][1] for name, pairs in tracker.history.items()}  # of a run that had only to be tested
        metrics = {**earlier, **metrics}
        if shows_everything(parts.trainer):
            metrics |= parts.model.summary(parts.data, tracker.history)
        record_results(parts, tracker, metrics)
    except BaseException as error:
        if isinstance(error, Stopped | RunFailure):
            error.run_id = tracker.version
        killed = isinstance(error, Stopped)
        said = str(error) if killed else f"{type(error).__name__}: {first_line(error)}"
        with ignoring_signals(), suppress(TakenOver):
            tracker.close("KILLED" if killed else "FAILED", {"error": said})
        raise
    with deferring():  # half ended, it would be neither finished nor interrupted
        tracker.close("FINISHED")
    return Result(metrics, tracker.run_id, tracker.store.uri)


def begin(
    parts: Parts, tracker: Tracker, configuration: Configuration, tags: Mapping[str, str], parameters: Mapping[str, Any]
) -> None:
    """Opens the record, or opens it again for a run to go on."""
    values = configuration.values
    own = {"exercise": configuration.exercise, "seed": str(values.seed_everything), **provenance.tags()}
    tags = {**own, **tags}
    if values.resume:
        tracker.resume(tracker.store.run(values.resume), configuration.yaml, parameters, tags)
    else:
        tracker.start(configuration.name, configuration.yaml, parameters, tags)
    if isinstance(callback := parts.trainer.checkpoint_callback, Checkpoint):
        callback.dirpath = str(tracker.checkpoint_directory())


def record_results(parts: Parts, tracker: Tracker, metrics: dict[str, float]) -> None:
    """Logs what is known only at the end: sizes, seconds, summary, figures, tables."""
    final = {name: value for name, value in metrics.items() if name not in tracker.history}
    tracker.log_metrics({**final, "epoch": parts.trainer.current_epoch})
    tracker.log_table(ELAPSED, parts.timing.table())
    if not shows_everything(parts.trainer):
        return
    for name, figure in parts.model.figures(parts.data, tracker.history):
        tracker.log_figure(name, figure)
    for name, table in parts.model.tables(parts.data):
        tracker.log_table(name, table)


def shows_everything(trainer: Trainer) -> bool:
    """Whether the whole test set was seen, which summary, figures and tables are about."""
    return not getattr(trainer, "fast_dev_run", False) and trainer.limit_test_batches == 1.0
