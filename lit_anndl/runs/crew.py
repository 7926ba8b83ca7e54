"""Runs of one exercise that take their training steps together."""

from collections.abc import Callable, Sequence
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
from lit_anndl.tracking.tracker import Tracker

_FLOPS = 15e6
"""Of a network's step, above which it is limited by the arithmetic: then several at once cost as much as one by one."""


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
        self.has_begun = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Has the run's seconds counted."""
        for callback in trainer.callbacks:  # type: ignore[attr-defined]  # Lightning sets it
            if isinstance(callback, Timing):
                callback.clock = partial(self.turns.seconds, self.number)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the steps over, if they can be shared and are so small that this pays; ends the run if all are to."""
        assert isinstance(pl_module, Exercise)
        self.turns.raise_end()
        if not self.has_begun:
            self.has_begun = True
            pays = flops_per_step(pl_module, trainer) < _FLOPS
            if pays and pl_module.side_by_side([pl_module], [self.generator]):
                pl_module.together = self._learn
                assert isinstance(trainer.logger, Tracker)
                trainer.logger.final_tags["seconds_shared_by"] = str(len(self.turns))

    def on_train_batch_start(self, *_: Any) -> None:
        """Ends the run if all are to end."""
        self.turns.raise_end()

    def _learn(self, module: Exercise[Any], batches: list[Any]) -> Metrics | None:
        """Waits for the others, and learns with those that are as far; None if it has to learn alone."""
        default_type, threads = torch.get_default_dtype(), torch.get_num_threads()
        self.generator.set_state(torch.get_rng_state())
        metrics: Metrics | None = self.turns.meet(self.number, module.global_step, (self, module, batches))
        torch.set_rng_state(self.generator.get_state())
        torch.set_default_dtype(default_type)
        torch.set_num_threads(threads)
        return metrics


class _Lessons:
    """What is learnt by the runs that meet."""

    def __init__(self) -> None:
        self.who: list[Companion] = []
        self.learn: Callable[[Sequence[list[Any]]], list[Metrics]] | None = None

    def __call__(self, items: list[tuple[Companion, Exercise[Any], list[Any]]]) -> Sequence[Metrics | None]:
        """The metrics of each run's batches; None for each if they cannot learn together."""
        companions, modules, batches = (list(each) for each in zip(*items, strict=True))
        if companions != self.who:
            self.who = companions
            generators = [companion.generator for companion in companions]
            self.learn = modules[0].side_by_side(modules, generators)
        return self.learn(batches) if self.learn else [None] * len(items)


def run_together(tasks: Sequence[Callable[[Companion], Any]]) -> list[Any]:
    """Runs that learn together; what each has returned, or the exception that it has ended with.

    A signal waits for the end of each run's epoch, as for a single run; it is raised when all have ended.
    """
    default_type, threads = torch.get_default_dtype(), torch.get_num_threads()

    def begin(task: Callable[[Companion], Any], turns: Turns, number: int) -> Any:
        deferral.raise_pending()
        torch.set_default_dtype(default_type)
        torch.set_num_threads(threads)
        return task(Companion(turns, number))

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
