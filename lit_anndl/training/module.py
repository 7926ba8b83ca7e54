"""What the supervised exercises share: training steps that take several optimizer steps at once, and measures."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.plugins.precision import DoublePrecision, HalfPrecision, Precision
from lightning.pytorch.strategies import SingleDeviceStrategy
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_anndl.training.batches import Batch

History = Mapping[str, Sequence[tuple[int, float]]]
Table = dict[str, list[Any]]


class SupervisedModule(LightningModule):
    """A network with a loss, whose `training_step` takes one optimizer step per batch of a list.

    Lightning's own cost per step is several times that of a step of a small net; a list of batches pays it
    once. Any optimizer of torch works, L-BFGS too: each step gets a closure.

    Subclasses define `measure`. Logged per epoch: `train/NAME` for each measure, the mean over the epoch's
    optimizer steps of its value before the step; `val/NAME` and `test/NAME`, means over the examples.

    Args:
        net: maps a batch of inputs to outputs.
        optimizer: makes the optimizer from the parameters.
    """

    objective: str
    """The name of the measure that training minimises."""

    def __init__(self, net: nn.Module, optimizer: OptimizerCallable) -> None:
        super().__init__()
        self.net = net
        self.automatic_optimization = False
        self.make_optimizer = optimizer
        self.epoch_measures: list[dict[str, Tensor]] = []
        self.test_outputs: list[Tensor] = []

    @abstractmethod
    def measure(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The objective and what else is reported, each a scalar mean over the examples; a pure function."""

    def figures(self, history: History) -> Iterator[tuple[str, Figure]]:
        """Names and figures of a tested run, each drawn when it is asked for.

        Args:
            history: for each logged metric its (epoch, value) pairs.
        """
        yield from ()

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Names and tables of a tested run: columns by heading."""
        yield "parameters", parameters_per_layer(self.net)

    def configure_optimizers(self) -> Optimizer:
        """The optimizer over all parameters."""
        return self.make_optimizer(self.parameters())

    def training_step(self, batches: list[Batch], _: int) -> None:
        """Takes one optimizer step per batch."""
        optimizer, backward = self._optimizer_and_backward()
        for batch in batches:
            self.epoch_measures.append(self._take_step(optimizer, backward, batch))
        if isinstance(optimizer, Optimizer):
            self._count_steps(len(batches))

    def on_train_epoch_end(self) -> None:
        """Logs the epoch's means."""
        names = self.epoch_measures[0]
        means = {f"train/{n}": torch.stack([m[n] for m in self.epoch_measures]).mean() for n in names}
        self.epoch_measures.clear()
        self.log_epoch(means)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Logs the validation measures."""
        self._evaluate("val", batch)

    def on_test_start(self) -> None:
        """Forgets the outputs of an earlier test."""
        self.test_outputs.clear()

    def test_step(self, batch: Batch, _: int) -> None:
        """Logs the test measures and keeps the outputs for the figures."""
        self.test_outputs.append(self._evaluate("test", batch).float().cpu())

    def log_epoch(self, metrics: dict[str, Tensor]) -> None:
        """Hands an epoch's metrics to loggers and callbacks, for a fifth of what `self.log` costs per epoch."""
        if self.trainer.world_size > 1:
            metrics = {name: self.trainer.strategy.reduce(value, reduce_op="mean") for name, value in metrics.items()}
        self.trainer.callback_metrics.update(metrics)
        values = {name: float(value) for name, value in metrics.items()}
        for logger in self.trainer.loggers:
            logger.log_metrics({**values, "epoch": self.current_epoch}, step=self.global_step)

    def _evaluate(self, stage: str, batch: Batch) -> Tensor:
        inputs, targets = batch
        outputs: Tensor = self.net(inputs)
        measures = {f"{stage}/{name}": value for name, value in self.measure(outputs, targets).items()}
        self.log_dict(measures, batch_size=len(inputs), sync_dist=self.trainer.world_size > 1)
        return outputs

    def _take_step(
        self, optimizer: Any, backward: Callable[[Tensor], None], batch: Batch
    ) -> dict[str, Tensor]:
        """One optimizer step; returns the measures at its first closure call, that is before the step."""
        inputs, targets = batch
        first: dict[str, Tensor] = {}

        def closure() -> Tensor:
            optimizer.zero_grad()
            measures = self.measure(self.net(inputs), targets)
            loss = measures[self.objective]
            backward(loss)
            if not first:
                first.update((name, value.detach()) for name, value in measures.items())
            return loss

        optimizer.step(closure)
        return first

    def _optimizer_and_backward(self) -> tuple[Any, Callable[[Tensor], None]]:
        """The bare optimizer and backward where nothing hooks in, for they halve the cost of a tiny step."""
        wrapped = self.optimizers()
        if not self._runs_bare():
            return wrapped, self.manual_backward
        return wrapped.optimizer, Tensor.backward

    def _runs_bare(self) -> bool:
        """Whether Lightning's wrappers would do nothing: one device, no gradient scaling."""
        precision = self.trainer.precision_plugin
        return isinstance(self.trainer.strategy, SingleDeviceStrategy) and type(precision) in (
            Precision,
            DoublePrecision,
            HalfPrecision,
        )

    def _count_steps(self, steps: int) -> None:
        """Counts bare steps where Lightning's wrapper would have, so that `global_step` stays true."""
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress.total
        progress.ready += steps
        progress.completed += steps


def parameters_per_layer(net: nn.Module) -> Table:
    """The layers that own parameters, in order: name, type and number of trainable parameters."""
    layers = [
        (name, type(layer).__name__, sum(p.numel() for p in own if p.requires_grad))
        for name, layer in net.named_modules()
        if (own := list(layer.parameters(recurse=False)))
    ]
    total = ("total", "", sum(count for *_, count in layers))
    names, types, counts = zip(*layers, total, strict=True)
    return {"layer": list(names), "type": list(types), "parameters": list(counts)}
