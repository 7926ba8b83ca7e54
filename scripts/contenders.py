"""What benchmarks compare: ours, a lean loop over tensors, the course's loop, a plain Lightning Trainer."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from lit_anndl.config.configuration import parse
from lit_anndl.runs.run import begin, compose

Loss = Callable[[Tensor, Tensor], Tensor]
ALL_THREADS = torch.get_num_threads()


def ours(exercise: str, epochs: int, *words: str, callbacks: Sequence[Callback] = ()) -> float:
    """Seconds per epoch of a fit with everything on, until its last metric is in the store."""
    seconds, _ = trained(exercise, epochs, *words, callbacks=callbacks)
    return seconds


def trained(
    exercise: str, epochs: int, *words: str, callbacks: Sequence[Callback] = ()
) -> tuple[float, dict[str, float]]:
    """The same, and the last epoch's metrics."""
    configuration = parse(exercise, [*words, "--trainer.max_epochs", str(epochs)])
    torch.manual_seed(0)
    parts = compose(configuration, time.time(), callbacks)
    assert parts.tracker is not None
    begin(parts, parts.tracker, configuration)
    start = time.perf_counter()
    parts.trainer.fit(parts.model, datamodule=parts.data)
    parts.tracker.deliver()
    seconds = (time.perf_counter() - start) / epochs
    parts.tracker.close("FINISHED")
    return seconds, {name: float(value) for name, value in parts.trainer.callback_metrics.items()}


def step(net: nn.Module, optimizer: Optimizer, loss: Loss, inputs: Tensor, targets: Tensor) -> Tensor:
    """The hand-written step that all optimizers share."""

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(net(inputs), targets)
        value.backward()
        return value

    return optimizer.step(closure).detach()


def lean_epoch(net: nn.Module, optimizer: Optimizer, loss: Loss, data: Sequence[Tensor], batch_size: int) -> float:
    """An epoch over tensors in memory; returns its mean loss."""
    inputs, targets = data
    if batch_size >= len(inputs):
        return step(net, optimizer, loss, inputs, targets).item()
    batches = torch.randperm(len(inputs)).split(batch_size)
    return torch.stack([step(net, optimizer, loss, inputs[i], targets[i]) for i in batches]).mean().item()


def course_epoch(net: nn.Module, optimizer: Optimizer, loss: Loss, loader: DataLoader) -> float:
    """An epoch as in the course's notebook."""
    total = 0.0
    for inputs, targets in loader:
        total += step(net, optimizer, loss, inputs, targets).item()
    return total / len(loader)


def timed(epoch: Callable[[], object], epochs: int, threads: int) -> float:
    """Seconds per call, on so many threads."""
    torch.set_num_threads(threads)
    start = time.perf_counter()
    for _ in range(epochs):
        epoch()
    seconds = (time.perf_counter() - start) / epochs
    torch.set_num_threads(ALL_THREADS)
    return seconds


def apart(work: Callable[..., float], *arguments: Any) -> float:
    """What a function of a module returns in another process, which has nothing of what ours sets in its own."""
    return _other_process().submit(work, *arguments).result()


@cache
def _other_process() -> ProcessPoolExecutor:
    """The process, which stays."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


class Plain(LightningModule):
    """A LightningModule as in Lightning's introduction."""

    def __init__(self, net: nn.Module, loss: Loss, make_optimizer: Callable[..., Optimizer], accuracy: bool) -> None:
        super().__init__()
        self.net, self.loss, self.make_optimizer, self.accuracy = net, loss, make_optimizer, accuracy

    def configure_optimizers(self) -> Optimizer:
        """The optimizer."""
        return self.make_optimizer(self.parameters())

    def training_step(self, batch: Sequence[Tensor], _: int) -> Tensor:
        """The training loss."""
        return self._shared("train", batch)

    def validation_step(self, batch: Sequence[Tensor], _: int) -> None:
        """The validation loss."""
        self._shared("val", batch)

    def _shared(self, stage: str, batch: Sequence[Tensor]) -> Tensor:
        inputs, targets = batch
        outputs = self.net(inputs)
        loss = self.loss(outputs, targets)
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True)
        if self.accuracy:
            accuracy = (outputs.argmax(1) == targets).float().mean()
            self.log(f"{stage}/accuracy", accuracy, on_step=False, on_epoch=True)
        return loss


def plain(module: Plain, epochs: int, *loaders: DataLoader) -> float:
    """Seconds per epoch of a Lightning Trainer with its defaults, less what writes to the disk or the screen."""
    trainer = Trainer(
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    start = time.perf_counter()
    trainer.fit(module, *loaders)
    return (time.perf_counter() - start) / epochs
