"""How many CPU threads a net is worth."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from torch.utils.flop_counter import FlopCounterMode

from lit_anndl.cores import available_cores
from lit_anndl.errors import InputError
from lit_anndl.training.batches import Batch

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
            small = step_flops(pl_module, trainer) < SINGLE_THREAD_FLOPS
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


def check_threads(threads: int | None) -> None:
    """Refuses more threads than cores, which are slower, and far more, which torch does not survive."""
    cores = available_cores()
    if threads is not None and threads > cores:
        raise InputError(f"threads: {threads} was given, expected {cores} at most, the cores there are")


def step_flops(module: Any, trainer: Trainer) -> int:
    """Floating-point operations of an optimizer step: three times those of the forward pass over a batch.

    None are counted of an exercise that has no network of its own to train.
    """
    if not hasattr(module, "net"):
        return 0
    data: LightningDataModule = trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it in fit
    batches: list[Batch] = next(iter(data.train_dataloader()))
    inputs, *_ = trainer.precision_plugin.convert_input(batches[0])
    module.eval()  # no dropout, which would draw random numbers, and no change of running statistics
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module.net(inputs)
    module.train()
    return int(3 * counter.get_total_flops())
