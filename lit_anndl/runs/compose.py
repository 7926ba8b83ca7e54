"""A run's parts, seeded, built and checked: everything that can be wrong before anything is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.plugins.precision import HalfPrecision
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_only

from lit_anndl.callbacks.checkpoint import AtomicCheckpointIO, read_checkpoint
from lit_anndl.callbacks.memory_reuse import MemoryReuse
from lit_anndl.callbacks.progress import progress
from lit_anndl.callbacks.ranks import OwnSignals, RankStream
from lit_anndl.callbacks.threads import ThreadChoice, check_threads
from lit_anndl.callbacks.timing import Timing
from lit_anndl.config.configuration import Configuration
from lit_anndl.data.data_module import DataModule
from lit_anndl.modules.exercise import Exercise
from lit_anndl.runs.parallel import (
    check_accelerator,
    check_processes,
    check_strategy,
    processes_to_start,
    stop_asking_for_gpus,
)
from lit_anndl.runs.refusals import refusing
from lit_anndl.runtime.errors import InputError
from lit_anndl.tracking.artifacts import last_checkpoint
from lit_anndl.tracking.leftovers import open_store
from lit_anndl.tracking.store import TrackingStore
from lit_anndl.tracking.tracker import Tracker


@dataclass(frozen=True)
class Parts:
    """What a run is composed of."""

    model: Exercise[Any]
    data: DataModule
    trainer: Trainer
    timing: Timing
    tracker: Tracker | None
    checkpoint: Path | None

    @property
    def processes(self) -> int:
        """How many processes are to be started, each of which runs; 1 if it is this one that runs."""
        return processes_to_start(self.trainer)


def compose(configuration: Configuration, started: float, callbacks: Sequence[Callback] = ()) -> Parts:
    """The parts of a run, nothing of which is recorded yet.

    Args:
        configuration: what to run.
        started: when the user's command started, as `time.time()`.
        callbacks: others beside those of the configuration.

    Raises:
        InputError: a part refuses its settings; parts do not fit each other.
    """
    values = configuration.values
    seed_everything(values.seed_everything, workers=True, verbose=False)
    stop_asking_for_gpus()
    with refusing(configuration):
        check_accelerator(values.trainer.accelerator)
        check_strategy(values.trainer.strategy)
        check_threads(values.threads)
        objects = build(configuration)
        objects.model.prepare_optimizers()
        timing = Timing(started)
        leads = getattr(rank_zero_only, "rank", 0) == 0
        store = open_store() if leads and _is_recorded(values) else None
        tracker = Tracker(configuration.exercise, store) if store else None
        own = [timing, ThreadChoice(values.threads), MemoryReuse(), RankStream(), OwnSignals()]
        trainer = _make_trainer(objects, [*callbacks, *own], tracker)
        _check_precision(trainer, objects.model)
        check_processes(trainer, objects.data, objects.model, values.trainer.sync_batchnorm)
        checkpoint = (
            _checkpoint_of(values.resume, store or TrackingStore(), objects.model, trainer) if values.resume else None
        )
    return Parts(objects.model, objects.data, trainer, timing, tracker, checkpoint)


def build(configuration: Configuration) -> Namespace:
    """Model, data and callbacks, checked; the data are fetched and read."""
    objects = assemble(configuration)
    objects.data.prepare_data()
    objects.data.setup("fit")
    objects.model.check(objects.data)
    objects.model.initialize(objects.data)
    _check_epochs(objects, configuration.epochs)
    _check_monitor(objects, configuration.keys_under("data.validation"))
    _check_early_stopping(objects)
    _check_averaging(objects)
    return objects


def assemble(configuration: Configuration) -> Namespace:
    """Model, data and callbacks as they are made; no data are read."""
    objects = configuration.instantiate()
    objects.model.exercise = configuration.exercise
    objects.model.arguments = configuration.model_arguments
    objects.model.build(objects.data)
    return objects


def check_data(configuration: Configuration) -> bool:
    """Fetches and reads the data of a configuration; returns whether some is held out for validation.

    Raises:
        InputError: it refuses its settings, or cannot be had.
    """
    with refusing():
        return bool(build(configuration).data.has_validation)


def _check_epochs(objects: Namespace, epochs: int | None) -> None:
    """Refuses training without an end where something depends on how many epochs there are; sets their number."""
    tie = objects.model.tied_to_epochs(objects.model.arguments)
    if tie and epochs in (None, -1):
        given = "null" if epochs is None else epochs
        raise InputError(f"trainer.max_epochs: {given} was given, expected a number of epochs, which {tie} needs")
    planned = objects.model.planned_epochs(objects.model.arguments)
    if tie and planned and epochs and epochs > planned:
        raise InputError(f"trainer.max_epochs: {epochs} was given, expected {planned} at most, as {tie} says")
    objects.trainer.max_epochs = epochs


def _check_monitor(objects: Namespace, validation: Sequence[str]) -> None:
    """Refuses a metric for the best checkpoint that is not measured, or that the test set is measured by."""
    monitor, choices = objects.checkpoint.monitor, objects.model.monitors()
    if monitor.startswith("test/"):
        raise InputError(
            f"checkpoint.monitor {monitor}: expected a metric of train/ or val/; the test set chooses nothing"
        )
    if monitor not in choices:
        raise InputError(f"checkpoint.monitor {monitor}: expected one of {', '.join(choices)}")
    if monitor.startswith("val/") and not objects.data.has_validation:
        how = f"hold some out with {' or '.join(validation)}" if validation else "there are none"
        raise InputError(f"checkpoint.monitor {monitor} needs validation data: {how}, or monitor train/…")


def _check_early_stopping(objects: Namespace) -> None:
    """Refuses to stop by metrics that are of other examples at first."""
    if objects.early_stopping.wanted and objects.data.epochs_before:
        raise InputError(
            f"early_stopping.patience {objects.early_stopping.patience} was given, expected null: the first "
            f"{objects.data.epochs_before} epochs are on other data"
        )


def _check_averaging(objects: Namespace) -> None:
    """Refuses to choose among averaged weights by what is measured with others, those that are trained."""
    monitor = objects.checkpoint.monitor
    if objects.weight_averaging.wanted and objects.early_stopping.wanted and not monitor.startswith("val/"):
        raise InputError(
            f"checkpoint.monitor {monitor}: expected a metric of val/, for averaged weights are validated only "
            f"(weight_averaging.decay with early_stopping.patience)"
        )


def _make_trainer(objects: Namespace, callbacks: list[Callback], tracker: Tracker | None) -> Trainer:
    """The Trainer, with the project's callbacks after the user's."""
    options: dict[str, Any] = vars(objects.trainer)
    callbacks = [*(options["callbacks"] or []), *callbacks]
    if objects.early_stopping.wanted:
        callbacks.append(objects.early_stopping)
    if objects.weight_averaging.wanted:
        callbacks.append(objects.weight_averaging)  # after early stopping, which keeps what was validated
    if options["enable_progress_bar"]:
        callbacks += progress()
    if checkpoints := options["enable_checkpointing"] and _is_recorded(objects):
        callbacks.append(objects.checkpoint)
    options = {
        **options,
        **_take_over_gradients(objects.model, options),
        "callbacks": callbacks,
        "logger": tracker or False,
        "limit_val_batches": options["limit_val_batches"] if objects.data.has_validation else 0,
        "enable_checkpointing": checkpoints,
        "plugins": [*(options["plugins"] or []), AtomicCheckpointIO()],
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    try:
        trainer = Trainer(**options)
    except TypeError as error:  # of devices that are no such numbers
        raise InputError(f"trainer: {' '.join(str(error).split())}") from error
    if objects.model.trains_in_parts and isinstance(trainer.strategy, DDPStrategy):
        trainer.strategy._ddp_kwargs["find_unused_parameters"] = (
            True  # the only way, where Lightning chose the strategy
        )
    return trainer


def _check_precision(trainer: Trainer, model: Exercise[Any]) -> None:
    """Refuses weights of half precision where they leave nothing of what is measured, and a loss scaled in vain."""
    if model.needs_single_precision and isinstance(trainer.precision_plugin, HalfPrecision):
        raise InputError(
            f"trainer.precision {trainer.precision} was given, expected 32-true, 64-true or a mixed one: weights of "
            "half precision are too coarse for what is measured here"
        )
    if model.writes_gradients and getattr(trainer.precision_plugin, "scaler", None):
        raise InputError(
            f"trainer.precision {trainer.precision} was given, expected 32-true, 64-true or bf16-mixed: there is no "
            "loss here that could be scaled for float16"
        )


def _take_over_gradients(model: Exercise[Any], options: dict[str, Any]) -> dict[str, Any]:
    """Hands the bound on gradients to the exercise, which takes its own steps; what is left for the Trainer.

    Raises:
        InputError: a setting of gradients that no exercise has a use for.
    """
    if options["accumulate_grad_batches"] != 1:
        raise InputError(
            "trainer.accumulate_grad_batches has no effect here: the exercises take their own optimizer steps"
        )
    bound, kind = options["gradient_clip_val"], options["gradient_clip_algorithm"] or "norm"
    if bound and not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError(f"trainer.gradient_clip_val {bound:g} was given, but there are no gradients here")
    if kind not in ("norm", "value"):
        raise InputError(f"trainer.gradient_clip_algorithm: {kind} was given, expected norm or value")
    model.gradient_clipping = (bound, kind) if bound else None
    return {"gradient_clip_val": None, "gradient_clip_algorithm": None}


def _checkpoint_of(run_id: str, store: TrackingStore, model: Exercise[Any], trainer: Trainer) -> Path | None:
    """The checked checkpoint of the run to go on with, None if it has written none yet; each rank needs it."""
    path = last_checkpoint(store, store.run(run_id))
    if path:
        read_checkpoint(path, model.exercise, model, trainer.world_size)
    return path


def _is_recorded(values: Namespace) -> bool:
    """Whether the run is to leave a record: `--trainer.logger false` asks for none, checkpoints included."""
    return values.trainer.logger is not False
