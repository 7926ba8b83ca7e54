"""Exercises that descend one loss with one optimizer: from regression to autoencoders."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lit_anndl.data.batches import Batch
from lit_anndl.modules.epoch import mean_over_processes
from lit_anndl.modules.exercise import Data, Exercise, Metrics
from lit_anndl.modules.layer_table import parameters_per_layer
from lit_anndl.modules.line_search import refuse_blind_line_search, refuse_line_search
from lit_anndl.modules.schedules import with_schedule
from lit_anndl.runtime.records import Table


class GradientExercise(Exercise[Data]):
    """A network trained by gradients of a loss. A batch is a tuple of tensors, inputs first.

    Any optimizer of torch works, L-BFGS too: each step gets a closure. Subclasses define `measure`; supervised ones
    compare outputs with `batch[1]`, others with the inputs themselves.

    Args:
        optimizer: makes the optimizer from the parameters.
        net: maps a batch of inputs to outputs; where it depends on the data, `build` makes it.
        backpropagate: the mean error of a batch's tensors, with the loss's gradient left in the parameters' `grad`; it
            takes the place of automatic differentiation on a single device, for nets so small that differentiating
            costs more than computing.
        lr_scheduler: a class of torch.optim.lr_scheduler with its arguments, which moves the learning rate after each
            epoch; None for a constant rate.

    Raises:
        InputError: the optimizer cannot take a step; the schedule waits for a metric.
    """

    metric_names: tuple[str, ...]
    """The names that `measure` returns; the first is the loss."""
    is_loss_drawn = False
    """Whether the loss is another at each evaluation, for noise that is drawn anew: no line search can descend it."""

    def __init__(
        self,
        optimizer: OptimizerCallable,
        net: nn.Module | None = None,
        backpropagate: Callable[..., Tensor] | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__()
        if net is not None:
            self.net = net
        self.make_optimizer, self.make_scheduler = optimizer, lr_scheduler
        self.backpropagate = backpropagate
        self.test_outputs: list[Tensor] = []

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """Each metric in training, validation and test."""
        return tuple(f"{stage}/{name}" for stage in ("train", "val", "test") for name in cls.metric_names)

    @abstractmethod
    def measure(self, outputs: Any, batch: Batch) -> Metrics:
        """The loss and what else is reported of the net's outputs, scalar means over the examples.

        It depends on outputs, batch and, where training differs from evaluation, `self.training`; it changes nothing.
        """

    def loss(self, metrics: Metrics) -> Tensor:
        """What training minimises: the first metric, unless something is added to it."""
        return metrics[self.metric_names[0]]

    def make_optimizers(self) -> Any:
        """The optimizer over all parameters, with the schedule of its learning rate if there is one."""
        optimizer = self.make_optimizer(self.parameters())
        if self.is_loss_drawn:
            refuse_line_search(optimizer, "model.optimizer", "for losses are drawn anew")
        refuse_blind_line_search(optimizer)
        return with_schedule(optimizer, self.make_scheduler)

    def on_train_start(self) -> None:
        """Chooses how gradients are taken, too."""
        super().on_train_start()
        self.optimizer: Any = self.own_optimizers
        backward = Tensor.backward if self.bypass_lightning else self.manual_backward
        written_out = self.bypass_lightning and self.backpropagate
        self.differentiate = self._backpropagate if written_out else partial(self._differentiate, backward)

    def train_batch(self, batch: Batch) -> Metrics:
        """One optimizer step; returns the metrics before it."""
        if isinstance(self.optimizer, torch.optim.LBFGS):
            return self._take_closure_step(batch)
        metrics = self.differentiate(batch)
        self.clip(self.optimizer)
        self.take_step(self.optimizer)
        return metrics

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        """The metrics; keeps the outputs of the test for the figures."""
        outputs = self(batch[0])
        if stage == "test" and isinstance(outputs, Tensor):
            kept = outputs.cpu()
            self.test_outputs.append(kept.to(torch.promote_types(kept.dtype, torch.float32)))  # no halves in figures
        return self.measure(outputs, batch)

    def on_test_start(self) -> None:
        """Drops the outputs of an earlier test."""
        super().on_test_start()
        self.test_outputs.clear()

    def flops_per_step(self, batch: Batch) -> int:
        """Three times those of the forward pass: gradients for inputs and weights cost as much each."""
        self.eval()  # no change of running statistics
        written_out = sdpa_kernel(SDPBackend.MATH)  # of attention's kernels for CPUs torch counts nothing
        with torch.random.fork_rng(), torch.no_grad(), written_out, FlopCounterMode(display=False) as counter:
            self(batch[0])
        self.train()
        return int(3 * counter.get_total_flops())

    def tables(self, data: Data) -> Iterator[tuple[str, Table]]:
        """The parameters per layer."""
        yield "parameters", parameters_per_layer(self.net)

    def _differentiate(self, backward: Callable[[Tensor], None], batch: Batch) -> Metrics:
        """A batch's metrics, with the loss's gradient left in the parameters' `grad` by automatic differentiation."""
        self.optimizer.zero_grad()
        metrics = self.measure(self(batch[0]), batch)
        backward(self.loss(metrics))
        return metrics

    def _backpropagate(self, batch: Batch) -> Metrics:
        """The same, by backpropagation that is written out."""
        assert self.backpropagate is not None
        return {self.metric_names[0]: self.backpropagate(*batch)}

    def _take_closure_step(self, batch: Batch) -> Metrics:
        """A step of an optimizer that evaluates the loss several times; its first evaluation counts.

        All processes get the mean loss, as they get the mean gradient, bit for bit: else they would not evaluate
        equally often, and wait for each other for ever.
        """
        evaluations: list[Metrics] = []

        def closure() -> Tensor:
            metrics = self.differentiate(batch)
            self.clip(self.optimizer)
            evaluations.append(metrics)
            return mean_over_processes(self.trainer, self.loss(metrics).detach())

        self.take_step(self.optimizer, closure)
        return evaluations[0]
