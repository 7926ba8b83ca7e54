"""What the supervised exercises share: training steps that take several optimizer steps at once, and measures."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.plugins.precision import DoublePrecision, HalfPrecision, Precision
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_anndl.errors import InputError, RunFailure
from lit_anndl.training.batches import Batch
from lit_anndl.training.exercise import Exercise, Table
from lit_anndl.training.parallel import share_buffers

Measures = dict[str, Tensor]
Differentiate = Callable[[Tensor, Tensor], tuple[Tensor, Measures]]
"""From inputs and targets to objective and measures, leaving the objective's gradient in the parameters' `grad`."""


class SupervisedModule(Exercise):
    """A network with a loss, whose `training_step` takes one optimizer step per batch of a list.

    Lightning's own cost per step is several times that of a step of a small net; a list of batches pays it
    once. Any optimizer of torch works, L-BFGS too: each step gets a closure.

    Subclasses define `measure`. Logged per epoch: `train/NAME` for each measure, the mean over the epoch's
    optimizer steps of its value before the step; `val/NAME` and `test/NAME`, means over the examples.

    Args:
        net: maps a batch of inputs to outputs.
        optimizer: makes the optimizer from the parameters.
        backpropagate: takes the place of automatic differentiation on a single device, for nets so small that
            differentiating costs more than computing.

    Raises:
        InputError: the optimizer cannot take a step.
    """

    measures: tuple[str, ...]
    """The names that `measure` returns; the first is what training is about."""

    def __init__(
        self,
        net: nn.Module,
        optimizer: OptimizerCallable,
        backpropagate: Differentiate | None = None,
    ) -> None:
        super().__init__()
        self.net = net
        self.automatic_optimization = False
        self.make_optimizer = optimizer
        self.backpropagate = backpropagate
        self.epoch_measures: list[Measures] = []
        self.test_outputs: list[Tensor] = []

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """Each measure in training, validation and test."""
        return tuple(f"{stage}/{name}" for stage in ("train", "val", "test") for name in cls.measures)

    @abstractmethod
    def measure(self, outputs: Tensor, targets: Tensor) -> Measures:
        """The objective and what else is reported, each a scalar mean over the examples; a pure function."""

    def objective(self, measures: Measures) -> Tensor:
        """What training minimises: the first measure."""
        return measures[self.measures[0]]

    def tables(self, data: LightningDataModule) -> Iterator[tuple[str, Table]]:
        """The parameters per layer."""
        yield "parameters", parameters_per_layer(self.net)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer over all parameters."""
        optimizer = self.make_optimizer(self.parameters())
        refuse_lame_line_search(optimizer)
        return optimizer

    def training_step(self, batches: list[Batch], _: int) -> None:
        """Takes one optimizer step per batch, no more than `max_steps` in all."""
        if self.trainer.max_steps > 0:
            batches = batches[: self.trainer.max_steps - self.global_step]
        bare = self._runs_bare()
        optimizer = self.optimizers(use_pl_optimizer=not bare)
        if bare and self.backpropagate:
            differentiate = self.backpropagate
        else:
            differentiate = partial(self._autograd, optimizer, Tensor.backward if bare else self.manual_backward)
        for batch in batches:
            self.epoch_measures.append(self._take_step(optimizer, differentiate, batch))
        if bare:
            self._count_steps(len(batches))
        share_buffers(self.net)
        self._refuse_divergence(self.epoch_measures[-len(batches) :])

    def on_train_epoch_end(self) -> None:
        """Logs the epoch's means."""
        names = self.epoch_measures[0]
        means = {f"train/{n}": torch.stack([m[n] for m in self.epoch_measures]).mean() for n in names}
        self.epoch_measures.clear()
        self.log_epoch(means)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps no weights that nothing can go on from."""
        super().on_save_checkpoint(checkpoint)
        self._refuse_infinite_weights()

    def on_train_end(self) -> None:
        """Tests no such weights either: the last step may have been the one that diverged."""
        self._refuse_infinite_weights()

    def validation_step(self, batch: Batch, _: int) -> None:
        """Logs the validation measures."""
        self._evaluate("val", batch)

    def on_test_start(self) -> None:
        """Forgets the outputs of an earlier test."""
        self.test_outputs.clear()

    def test_step(self, batch: Batch, _: int) -> None:
        """Logs the test measures and keeps the outputs for the figures."""
        outputs = self._evaluate("test", batch).cpu()
        self.test_outputs.append(outputs.to(torch.promote_types(outputs.dtype, torch.float32)))  # no halves in figures

    def log_epoch(self, metrics: Measures) -> None:
        """Hands an epoch's metrics to loggers and callbacks, for a fifth of what `self.log` costs per epoch."""
        metrics = {name: self._mean_over_processes(value) for name, value in metrics.items()}
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

    def _take_step(self, optimizer: Any, differentiate: Differentiate, batch: Batch) -> Measures:
        """One optimizer step; returns the measures before it."""
        if isinstance(optimizer, torch.optim.LBFGS):
            return self._take_closure_step(optimizer, differentiate, batch)
        _, measures = differentiate(*batch)
        optimizer.step()
        return {name: value.detach() for name, value in measures.items()}

    def _take_closure_step(self, optimizer: Any, differentiate: Differentiate, batch: Batch) -> Measures:
        """A step of an optimizer that evaluates the objective several times; its first evaluation counts.

        All processes get the mean objective, as they get the mean gradient, bit for bit: else they would not
        evaluate equally often, and wait for each other for ever.
        """
        evaluations: list[Measures] = []

        def closure() -> Tensor:
            objective, measures = differentiate(*batch)
            evaluations.append(measures)
            return self._mean_over_processes(objective.detach())

        optimizer.step(closure)
        return {name: value.detach() for name, value in evaluations[0].items()}

    def _autograd(
        self, optimizer: Any, backward: Callable[[Tensor], None], inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Measures]:
        """Gradients by automatic differentiation, as a Differentiate."""
        optimizer.zero_grad()
        measures = self.measure(self.net(inputs), targets)
        objective = self.objective(measures)
        backward(objective)
        return objective, measures

    def _mean_over_processes(self, value: Tensor) -> Tensor:
        """The mean of what each process has; a common act of all."""
        if self.trainer.world_size == 1:
            return value
        mean: Tensor = self.trainer.strategy.reduce(value.clone(), reduce_op="mean")
        return mean

    def _runs_bare(self) -> bool:
        """Whether Lightning's wrappers, half of what a tiny step costs, would do nothing: one device, no scaling."""
        precision = self.trainer.precision_plugin
        return isinstance(self.trainer.strategy, SingleDeviceStrategy) and type(precision) in (
            Precision,
            DoublePrecision,
            HalfPrecision,
        )

    def _refuse_divergence(self, measures: list[Measures]) -> None:
        """Ends a run whose objective, the mean over its processes, is no number any more.

        Raises:
            RunFailure: says at which step, and what to try.
        """
        objective = self.measures[0]
        values = self._mean_over_processes(torch.stack([measure[objective] for measure in measures]))
        if not (finite := values.isfinite()).all():
            first = int(finite.int().argmin())
            raise RunFailure(
                f"{objective} is {float(values[first])} at step {self.global_step - len(measures) + first} "
                f"(epoch {self.current_epoch}): try a smaller learning rate (--model.optimizer.lr) or larger batches"
            )

    def _refuse_infinite_weights(self) -> None:
        if not all(parameter.isfinite().all() for parameter in self.parameters()):
            raise RunFailure(
                f"the weights are infinite or no numbers after step {self.global_step} "
                f"(epoch {self.current_epoch}): try a smaller learning rate (--model.optimizer.lr) or larger batches"
            )

    def _count_steps(self, steps: int) -> None:
        """Counts bare steps where Lightning's wrapper would have, so that `global_step` stays true."""
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress.total
        progress.ready += steps
        progress.completed += steps


def refuse_lame_line_search(optimizer: Optimizer) -> None:
    """Refuses an L-BFGS whose line search may not look anywhere: at its first failure it would stand still for good.

    torch gives the search `max_eval` - 1 evaluations (earlier versions always 25), and `max_eval` is 1.25 `max_iter`
    by default: none for `max_iter` 1 (https://github.com/pytorch/pytorch/pull/161488).
    """
    for group in optimizer.param_groups if isinstance(optimizer, torch.optim.LBFGS) else []:
        if group["line_search_fn"] and group["max_eval"] < 2:
            raise InputError(
                f"optimizer: with max_eval {group['max_eval']} the line search of L-BFGS has no evaluation to make; "
                f"expected 2 or more, 26 to search as long as torch once did (--model.optimizer.max_eval 26)"
            )


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
