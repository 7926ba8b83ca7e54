"""Runs of one exercise that take their training steps together."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Generator

from lit_anndl.callbacks.threads import flops_per_step
from lit_anndl.callbacks.timing import Timing
from lit_anndl.modules.exercise import Exercise, Metrics
from lit_anndl.runtime.deferral import Deferral
from lit_anndl.runtime.turns import Turns

_FLOPS = 15e6
"""Of a network's step on a CPU, above which it is limited by the arithmetic: then several cost as much one by one."""


class Companion(Callback):
    """Makes a run one of several that learn together.

    Torch's random numbers, default type and number of threads are each run's own: what it draws is what it would draw
    alone. The run's seconds are those that are spent on it, and its share of those that are spent on several.

    Args:
        turns: in which the runs go on.
        number: of the run in them.
    """

    def __init__(self, turns: Turns, number: int) -> None:
        self.turns = turns
        self.number = number
        self.generator = Generator()
        self.default_type, self.threads = torch.get_default_dtype(), torch.get_num_threads()
        self.likeness: Hashable | None = None
        self.timing: Timing | None = None
        self.has_begun = self.is_over = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Has the run's seconds counted."""
        for callback in trainer.callbacks:  # type: ignore[attr-defined]  # Lightning sets it
            if isinstance(callback, Timing):
                self.timing = callback
                callback.count_by(partial(self.turns.seconds, self.number))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the steps over, if they can be shared and are so small that this pays; ends the run if all are to."""
        assert isinstance(pl_module, Exercise)
        self.turns.raise_end()
        if not self.has_begun:
            self.has_begun = True
            pays = pl_module.device.type != "cpu" or flops_per_step(pl_module, trainer) < _FLOPS
            self.likeness = pl_module.likeness() if pays else None
            if self.likeness is not None:
                pl_module.together = self._learn

    def on_train_batch_start(self, *_: Any) -> None:
        """Ends the run if all are to end."""
        self.turns.raise_end()

    def share(self, runs: int) -> None:
        """Notes by how many the seconds are shared."""
        if self.timing:
            self.timing.shared_by = max(self.timing.shared_by, runs)

    def on_train_end(self, *_: Any) -> None:
        """Is of no more use."""
        self.is_over = True

    def on_exception(self, *_: Any) -> None:
        """Is of no more use."""
        self.is_over = True

    def _learn(self, module: Exercise[Any], batches: list[Any]) -> Metrics:
        """Waits for the others, and learns with those that are as far, alike, and have batches of the same sizes."""
        self.default_type, self.threads = torch.get_default_dtype(), torch.get_num_threads()
        self.generator.set_state(torch.get_rng_state())
        kind = (self.likeness, tuple(tuple(each.shape) for batch in batches for each in batch))
        metrics: Metrics = self.turns.meet(self.number, module.global_step, kind, (self, module, batches))
        torch.set_rng_state(self.generator.get_state())
        self.set_mode()
        return metrics

    def set_mode(self) -> None:
        """Gives torch the default type and the number of threads that the run has."""
        torch.set_default_dtype(self.default_type)
        torch.set_num_threads(self.threads)


MakeCompanion = Callable[[], Companion]
Task = Callable[[MakeCompanion], Any]
"""A run, or several one after the other, given what makes the companion of each."""
_Learn = Callable[[Sequence[list[Any]]], list[Metrics]]


class _Lessons:
    """What is learnt by the runs that meet."""

    def __init__(self) -> None:
        self.learning: list[tuple[list[Companion], _Learn]] = []

    def __call__(self, items: list[tuple[Companion, Exercise[Any], list[Any]]]) -> list[Metrics]:
        """The metrics of each run's batches."""
        companions, modules, batches = (list(each) for each in zip(*items, strict=True))
        companions[0].set_mode()
        for companion in companions:
            companion.share(len(companions))
        return self._find(companions, modules)(batches)

    def _find(self, companions: list[Companion], modules: list[Exercise[Any]]) -> _Learn:
        """What these learn by; of companies that are no more nothing is kept."""
        for who, learn in self.learning:
            if who == companions:
                return learn
        learn = modules[0].side_by_side(modules, [companion.generator for companion in companions])
        kept = [(who, how) for who, how in self.learning if not any(one.is_over or one in companions for one in who)]
        self.learning = [*kept, (companions, learn)]
        return learn


def run_together(tasks: Sequence[Task]) -> list[Any]:
    """Runs that learn together; what each task has returned, or the exception that it has ended with.

    A signal waits for the end of each run's epoch, as for a single run; it is raised when all have ended.
    """
    default_type, threads = torch.get_default_dtype(), torch.get_num_threads()

    def begin(task: Task, turns: Turns, number: int) -> Any:
        deferral.raise_pending()
        torch.set_default_dtype(default_type)
        torch.set_num_threads(threads)
        return task(partial(Companion, turns, number))

    deferral = Deferral()
    deferral.start()
    try:
        outcomes = Turns([partial(begin, task) for task in tasks], _Lessons()).run()
    finally:
        deferral.stop()
        torch.set_default_dtype(default_type)
        torch.set_num_threads(threads)
    deferral.raise_pending()
    return outcomes
