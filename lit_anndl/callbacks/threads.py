"""How many CPU threads a net is worth."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer

from lit_anndl.modules.exercise import Exercise
from lit_anndl.runtime.cores import available_cores
from lit_anndl.runtime.errors import InputError

SINGLE_THREAD_FLOPS = 40e6
"""Below this many floating-point operations per optimizer step, waking a second thread costs more than it brings."""


class ThreadChoice(Callback):
    """Runs small nets on one thread, larger ones on all.

    The choice depends on the operations of one optimizer step alone, never on a timing, so that two runs of one
    configuration choose alike.

    Args:
        threads: a fixed number instead, None to choose.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads
        self.default = torch.get_num_threads()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Chooses the number of threads, and sets it."""
        self.default = torch.get_num_threads()
        if self.threads is None:
            small = flops_per_step(pl_module, trainer) < SINGLE_THREAD_FLOPS
            self.threads = 1 if small else self.default
        torch.set_num_threads(self.threads)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Sets what was chosen for the fit, where there was one."""
        torch.set_num_threads(self.threads or self.default)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Gives the process its threads back."""
        torch.set_num_threads(self.default)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Gives them back after a failure too, when Lightning tears nothing down."""
        torch.set_num_threads(self.default)


@contextmanager
def threads_of_fit(trainer: Trainer) -> Iterator[None]:
    """Within it torch has the threads that were chosen for a trainer's fit."""
    choice = next((each for each in trainer.callbacks if isinstance(each, ThreadChoice)), None)  # type: ignore[attr-defined]  # Lightning sets it
    before = torch.get_num_threads()
    torch.set_num_threads((choice and choice.threads) or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_threads(threads: int | None) -> None:
    """Refuses more threads than cores, which are slower, and far more, which torch does not survive."""
    cores = available_cores()
    if threads is not None and threads > cores:
        raise InputError(f"threads: {threads} was given, expected {cores} at most, the cores there are")


def flops_per_step(module: LightningModule, trainer: Trainer) -> int:
    """Floating-point operations of the exercise's first training batch."""
    assert isinstance(module, Exercise)
    data: LightningDataModule = trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it in fit
    (batch, *_) = next(iter(data.train_dataloader()))
    return module.flops_per_step(trainer.precision_plugin.convert_input(batch))
