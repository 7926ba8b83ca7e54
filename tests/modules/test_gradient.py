"""Fused steps train as a plain loop of torch does."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.loggers import Logger
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.optim import LBFGS, SGD, Adam, AdamW, Optimizer

from lit_anndl.data.batches import Batch, TensorBatches
from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.modules.exercise import Metrics, parameters_per_layer
from lit_anndl.modules.gradient import GradientExercise
from lit_anndl.nets.backpropagation import SquaredErrorBackpropagation
from lit_anndl.nets.mlp import MLP

# Lightning 2.6 makes its loaders' pytrees by a name that torch has deprecated since.

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


@pytest.fixture
def wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends every step through Lightning's wrappers."""
    monkeypatch.setattr(GradientExercise, "_may_bypass_lightning", lambda self: False)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("optimizer", GRADIENT_STEPS.values(), ids=GRADIENT_STEPS)
def test_grouping_of_steps_changes_no_bit(optimizer: MakeOptimizer, explicit: bool) -> None:
    one, three, all_ = (train(optimizer, steps_per_execution=steps, explicit=explicit) for steps in (1, 3, None))
    assert_same_weights(one.net, three.net)
    assert_same_weights(one.net, all_.net)
    assert not torch.equal(weights(one.net)[0], weights(make_net())[0])


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("batch_size", [BATCH_SIZE, SIZE])
@pytest.mark.parametrize("optimizer", GRADIENT_STEPS.values(), ids=GRADIENT_STEPS)
def test_equals_a_plain_loop(optimizer: MakeOptimizer, batch_size: int, explicit: bool) -> None:
    module = train(optimizer, batch_size=batch_size, explicit=explicit)
    net, _ = train_by_hand(optimizer, batch_size)
    assert_same_weights(module.net, net, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("steps_per_execution", [1, 3, None])
@pytest.mark.parametrize("optimizer", GRADIENT_STEPS.values(), ids=GRADIENT_STEPS)
def test_lightnings_wrappers_change_no_bit(
    optimizer: MakeOptimizer, steps_per_execution: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = train(optimizer, steps_per_execution=steps_per_execution)
    monkeypatch.setattr(GradientExercise, "_may_bypass_lightning", lambda self: False)
    assert_same_weights(train(optimizer, steps_per_execution=steps_per_execution).net, bare.net)


@pytest.mark.parametrize("steps_per_execution", [1, 4, None])
@pytest.mark.parametrize("bare", [True, False])
def test_global_step_counts_optimizer_steps(
    bare: bool, steps_per_execution: int | None, request: pytest.FixtureRequest
) -> None:
    if not bare:
        request.getfixturevalue("wrapped")
    assert train(steps_per_execution=steps_per_execution).trainer.global_step == EPOCHS * STEPS


@pytest.mark.parametrize(
    ("precision", "bare"), [("32-true", True), ("64-true", True), ("bf16-true", True), ("bf16-mixed", False)]
)
def test_only_a_precision_that_does_nothing_per_step_runs_bare(precision: str, bare: bool) -> None:
    module = train(precision=precision, explicit=True)
    assert module.bypass_lightning is bare
    assert all(weight.isfinite().all() for weight in weights(module.net))


def test_double_precision_is_obeyed() -> None:
    module = train(precision="64-true", explicit=True)
    assert {weight.dtype for weight in weights(module.net)} == {torch.float64}
    assert_same_weights(module.net.float(), train(explicit=True).net, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("explicit", [True, False])
def test_lbfgs_equals_a_plain_loop_and_lowers_the_loss(
    bare: bool, explicit: bool, request: pytest.FixtureRequest
) -> None:
    if not bare:
        request.getfixturevalue("wrapped")
    optimizer, recorder = partial(LBFGS, lr=0.1, max_iter=5), Recorder()
    module = train(optimizer, batch_size=SIZE, explicit=explicit, logger=recorder)
    net, losses = train_by_hand(optimizer, SIZE)
    assert_same_weights(module.net, net, rtol=1e-4, atol=1e-5)
    assert module.trainer.global_step == EPOCHS
    logged = recorder.values("train/loss")
    assert logged == pytest.approx([loss for (loss,) in losses], rel=1e-5)
    assert logged == sorted(logged, reverse=True)


@pytest.mark.parametrize("steps_per_execution", [1, 4, None])
@pytest.mark.parametrize("explicit", [True, False])
def test_training_metrics_are_means_of_the_values_before_each_step(
    explicit: bool, steps_per_execution: int | None
) -> None:
    recorder, optimizer = Recorder(), GRADIENT_STEPS["sgd"]
    module = train(optimizer, explicit=explicit, steps_per_execution=steps_per_execution, logger=recorder)
    _, losses = train_by_hand(optimizer)
    means = [sum(epoch) / len(epoch) for epoch in losses]
    assert recorder.values("train/loss") == pytest.approx(means, rel=1e-5)
    assert module.trainer.callback_metrics["train/loss"].item() == pytest.approx(means[-1], rel=1e-5)


def test_training_metrics_are_logged_once_per_epoch() -> None:
    recorder = Recorder()
    train(steps_per_execution=2, logger=recorder)
    logged = [(step, metrics["epoch"]) for step, metrics in recorder.logged if "train/loss" in metrics]
    assert logged == [(STEPS, 0), (2 * STEPS, 1), (3 * STEPS, 2)]
    assert len(recorder.values("train/error")) == EPOCHS


def test_validation_and_test_metrics_are_means_over_the_examples() -> None:
    """Batches of 1000 and of what is left count by their sizes."""
    module = train()
    trainer, data = module.trainer, module.trainer.datamodule
    metrics = dict(trainer.callback_metrics)
    trainer.test(module, datamodule=data, verbose=False)
    metrics |= trainer.callback_metrics
    for stage, (inputs, targets) in (("val", data.validation), ("test", data.test)):
        with torch.no_grad():
            for name, value in module.measure(module(inputs), (inputs, targets)).items():
                assert metrics[f"{stage}/{name}"].item() == pytest.approx(value.item(), rel=1e-5)


def test_test_outputs_are_kept_in_order_and_only_of_the_last_test() -> None:
    module = train()
    for _ in range(2):
        module.trainer.test(module, datamodule=module.trainer.datamodule, verbose=False)
    with torch.no_grad():
        expected = module.net(module.trainer.datamodule.test[0])
    torch.testing.assert_close(torch.cat(module.test_outputs), expected)


def test_parameters_per_layer() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)))
    net[0].bias.requires_grad_(False)
    table = parameters_per_layer(net)
    assert table == {
        "layer": ["0", "2.0", "2.1", "total"],
        "type": ["Linear", "Conv2d", "BatchNorm2d", ""],
        "parameters": [12, 20, 4, 36],
    }


def test_parameters_are_a_table_of_the_run() -> None:
    net = make_net()
    tables = dict(Regression(GRADIENT_STEPS["adam"], net).tables(LightningDataModule()))
    assert tables == {"parameters": parameters_per_layer(net)}


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize(("kind", "bound"), [("norm", 0.1), ("value", 0.01)])
def test_bounded_gradients_are_those_of_a_plain_loop(kind: str, bound: float, explicit: bool) -> None:
    net, data = make_net(), Points(BATCH_SIZE, None, seed=0)
    data.setup("fit")
    optimizer = SGD(net.parameters(), lr=0.05)
    clip = nn.utils.clip_grad_norm_ if kind == "norm" else nn.utils.clip_grad_value_
    batches = TensorBatches(data.train, BATCH_SIZE, seed=torch.initial_seed())
    for epoch in range(EPOCHS):
        batches.set_epoch(epoch)
        for inputs, targets in (batch for item in batches for batch in item):
            optimizer.zero_grad()
            mse_loss(net(inputs), targets).backward()
            clip(net.parameters(), bound)
            optimizer.step()
    module = train(partial(SGD, lr=0.05), explicit=explicit, gradient_clipping=(bound, kind))
    assert_same_weights(module.net, net, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(weights(net)[0], weights(train(partial(SGD, lr=0.05)).net)[0])


@pytest.mark.parametrize(("interval", "moves"), [("epoch", EPOCHS), ("step", EPOCHS * STEPS)])
def test_learning_rates_follow_their_schedule(interval: str, moves: int) -> None:
    class Falling(Regression):
        def make_optimizers(self) -> Any:
            optimizer = super().make_optimizers()
            schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": interval}}

    module = Falling(partial(SGD, lr=0.08), make_net())
    make_trainer().fit(module, datamodule=Points(BATCH_SIZE, None, seed=0))
    assert module.trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.08 * 0.5**moves)


def test_optimizers_are_made_once() -> None:
    made = []

    def make(parameters: Any) -> Optimizer:
        made.append(SGD(parameters, lr=0.1))
        return made[-1]

    module = Regression(make, make_net())
    module.prepare_optimizers()
    make_trainer().fit(module, datamodule=Points(BATCH_SIZE, None, seed=0))
    assert module.trainer.optimizers == made
