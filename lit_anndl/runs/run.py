"""One run from its parts to metrics, with the tracker's record told the truth whatever happens."""

import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer

from lit_anndl.callbacks.checkpoint import Checkpoint
from lit_anndl.callbacks.early_stopping import EarlyStopping
from lit_anndl.callbacks.threads import threads_of_fit
from lit_anndl.config.configuration import Configuration
from lit_anndl.runs.compose import Parts, compose
from lit_anndl.runs.memory import state_bytes
from lit_anndl.runs.parallel import is_lost_connection
from lit_anndl.runtime import provenance
from lit_anndl.runtime.deferral import deferring
from lit_anndl.runtime.errors import InputError, LostConnection, RunFailure, Stopped, TakenOver, first_line
from lit_anndl.runtime.interruption import ignoring_signals
from lit_anndl.runtime.records import ELAPSED
from lit_anndl.tracking.tracker import Tracker


@dataclass(frozen=True)
class Result:
    """What a finished run leaves: its metrics, and where the tracker keeps it (None without one).

    The folder of its artifacts is None, too, where the store keeps them elsewhere.
    """

    metrics: dict[str, float]
    run_id: str | None = None
    artifacts: Path | None = None


def run(
    configuration: Configuration,
    started: float | None = None,
    *,
    callbacks: Sequence[Callback] = (),
    tags: Mapping[str, str] = MappingProxyType({}),
    varied: Collection[str] = (),
) -> Result:
    """Composes, trains and tests as configured, in this process.

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
    """Trains and tests what was composed; a recorded run is begun or gone on with, and ended with its true status."""
    tracker = parts.tracker
    if tracker is None:
        return Result(_train_and_test(parts))
    try:
        begin(parts, tracker, configuration, tags, varied)
        metrics = _train_and_test(parts)
        with threads_of_fit(parts.trainer):
            metrics = record_results(parts, tracker, metrics)
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
    artifacts = tracker.checkpoint_directory().parent
    return Result(metrics, tracker.run_id, artifacts if artifacts.is_dir() else None)


def begin(
    parts: Parts,
    tracker: Tracker,
    configuration: Configuration,
    tags: Mapping[str, str] = MappingProxyType({}),
    varied: Collection[str] = (),
) -> None:
    """Opens the record, or opens it again for a run to go on."""
    values, parameters = configuration.values, configuration.parameters(varied)
    own = {"exercise": configuration.exercise, "seed": str(values.seed_everything), **provenance.tags()}
    tags = {**own, **tags}
    if values.resume:
        tracker.resume(tracker.store.run(values.resume), configuration.yaml, parameters, tags)
    else:
        tracker.start(configuration.name, configuration.yaml, parameters, tags)
    if isinstance(callback := parts.trainer.checkpoint_callback, Checkpoint):
        callback.dirpath = str(tracker.checkpoint_directory())


def _train_and_test(parts: Parts) -> dict[str, float]:
    """Fits, from the checkpoint if there is one, tests the final weights once, and returns all metrics.

    Raises:
        RunFailure: Lightning refuses the settings after all; a metric is infinite; other processes have gone.
    """
    trainer = parts.trainer
    with _explaining_failures(trainer):
        trainer.fit(parts.model, datamodule=parts.data, ckpt_path=parts.checkpoint, weights_only=True)
        measured = dict(trainer.callback_metrics)
        if isinstance(stopping := trainer.early_stopping_callback, EarlyStopping):
            measured |= stopping.best()
        trainer.test(parts.model, datamodule=parts.data, verbose=False)
    metrics = {name: float(value) for name, value in {**measured, **trainer.callback_metrics}.items()}
    if infinite := [f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)]:
        raise RunFailure(f"{infinite[0]} after the last step: {parts.model.advice()}")
    return {**metrics, **_sizes(parts), **parts.timing.metrics()}


def record_results(parts: Parts, tracker: Tracker, metrics: dict[str, float]) -> dict[str, float]:
    """Logs what is known only at the end, sizes, seconds, summary, figures, tables; returns all metrics."""
    earlier = {name: pairs[-1][1] for name, pairs in tracker.history.items()}  # of a run that had only to be tested
    metrics, whole = {**earlier, **metrics}, _sees_whole_test_set(parts.trainer)
    parts.model.eval()  # the Trainer has put back the mode that it found
    summary = parts.model.summary(parts.data, tracker.history) if whole else {}
    metrics |= summary
    curves = {name for name in tracker.history if name.startswith(("train/", "val/", "test/"))} - set(summary)
    final = {name: value for name, value in metrics.items() if name not in curves}  # anew, where a run is longer now
    tracker.log_metrics({**final, "epoch": parts.trainer.current_epoch})
    tracker.log_table(ELAPSED, parts.timing.table())
    if whole:
        for name, figure in parts.model.figures(parts.data, tracker.history):
            tracker.log_figure(name, figure)
        for name, table in parts.model.tables(parts.data):
            tracker.log_table(name, table)
    return metrics


@contextmanager
def _explaining_failures(trainer: Trainer) -> Iterator[None]:
    """Within it Lightning's refusals and the loss of other processes are told as what they are."""
    try:
        yield
    except MisconfigurationException as error:
        raise RunFailure(" ".join(str(error).split())) from error
    except RuntimeError as error:
        if not is_lost_connection(error):
            raise
        callback = trainer.checkpoint_callback
        if isinstance(callback, Checkpoint) and callback.interruption:
            raise callback.interruption from error  # what the others left for
        raise LostConnection(f"the connection to the other processes is lost: {first_line(error)}") from error


def _sizes(parts: Parts) -> dict[str, float]:
    """`parameters`, the trainable ones, and `bytes/optimizer`, what the optimizers remember from step to step."""
    return {
        "parameters": sum(p.numel() for p in parts.model.parameters() if p.requires_grad),
        "bytes/optimizer": sum(map(state_bytes, parts.trainer.optimizers)),
    }


def _sees_whole_test_set(trainer: Trainer) -> bool:
    """Whether the whole test set was seen, which summary, figures and tables are about."""
    return not getattr(trainer, "fast_dev_run", False) and trainer.limit_test_batches == 1.0
