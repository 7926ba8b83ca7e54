"""A small regression as a gradient exercise, and the same training by hand."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.optim import SGD, Adam, AdamW, Optimizer

from lit_anndl.data.batches import Batch, TensorBatches
from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.modules.exercise import Metrics
from lit_anndl.modules.gradient import GradientExercise
from lit_anndl.nets.backpropagation import SquaredErrorBackpropagation
from lit_anndl.nets.mlp import MLP

SIZE, BATCH_SIZE, STEPS = 23, 4, 6
EPOCHS = 3
SEED = 7
MakeOptimizer = Callable[[Any], Optimizer]
GRADIENT_STEPS = {
    "sgd": partial(SGD, lr=0.1, momentum=0.9),
    "adam": partial(Adam, lr=0.01),
    "fused": partial(AdamW, lr=0.01, fused=True),
}


class Regression(GradientExercise[InMemoryData]):
    """Least squares, with the mean absolute error beside it."""

    metric_names = ("loss", "error")

    def measure(self, outputs: Tensor, batch: Batch) -> Metrics:
        _, targets = batch
        return {"loss": mse_loss(outputs, targets), "error": (outputs - targets).abs().mean()}


class Points(InMemoryData):
    """A few random points."""

    def setup(self, stage: str) -> None:
        generator = torch.Generator().manual_seed(self.seed)
        self.train = points(SIZE, generator)
        self.validation = points(1234, generator)
        self.test = points(1500, generator)


class Recorder(Logger):
    """Keeps what is logged, in order."""

    def __init__(self) -> None:
        self.logged: list[tuple[int | None, dict[str, float]]] = []

    name = version = None  # type: ignore[assignment]

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.logged.append((step, metrics))

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """None are kept."""

    def values(self, name: str) -> list[float]:
        return [metrics[name] for _, metrics in self.logged if name in metrics]


def points(size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    inputs = torch.randn(size, 3, generator=generator)
    return inputs, torch.stack([inputs.sum(dim=1), inputs.prod(dim=1)], dim=1)


def make_net() -> MLP:
    torch.manual_seed(SEED)
    return MLP((3, 8, 2))


def make_trainer(**options: Any) -> Trainer:
    """A Trainer as `run` makes it."""
    return Trainer(
        **{
            "accelerator": "cpu",
            "devices": 1,
            "max_epochs": EPOCHS,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "log_every_n_steps": 1,
            **options,
        }
    )


def train(
    optimizer: MakeOptimizer = GRADIENT_STEPS["adam"],
    *,
    steps_per_execution: int | None = None,
    batch_size: int = BATCH_SIZE,
    explicit: bool = False,
    gradient_clipping: tuple[float, str] | None = None,
    **options: Any,
) -> Regression:
    """A trained module; options are the Trainer's."""
    net = make_net()
    module = Regression(optimizer, net, SquaredErrorBackpropagation(net) if explicit else None)
    module.gradient_clipping = gradient_clipping
    data = Points(batch_size, steps_per_execution, seed=0)
    make_trainer(**options).fit(module, datamodule=data)
    return module


def train_by_hand(optimizer: MakeOptimizer, batch_size: int = BATCH_SIZE) -> tuple[MLP, list[list[float]]]:
    """The same training as a plain loop; also each epoch's losses before the steps."""
    net, data = make_net(), Points(batch_size, None, seed=0)
    data.setup("fit")
    batches = TensorBatches(data.train, batch_size, seed=torch.initial_seed())
    stepper, losses = optimizer(net.parameters()), []
    for epoch in range(EPOCHS):
        batches.set_epoch(epoch)
        losses.append([step(net, stepper, *batch) for item in batches for batch in item])
    return net, losses


def step(net: nn.Module, optimizer: Optimizer, inputs: Tensor, targets: Tensor) -> float:
    evaluations = []

    def closure() -> float:
        optimizer.zero_grad()
        loss = mse_loss(net(inputs), targets)
        loss.backward()
        evaluations.append(loss.item())
        return loss.item()

    optimizer.step(closure)
    return evaluations[0]


def weights(module: nn.Module) -> list[Tensor]:
    return [parameter.detach() for parameter in module.parameters()]


def assert_same_weights(module: nn.Module, other: nn.Module, **tolerance: float) -> None:
    torch.testing.assert_close(weights(module), weights(other), **(tolerance or {"rtol": 0, "atol": 0}))
