"""Exercises that take their own steps: several optimizers, or none."""

from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import SGD

from lit_anndl.callbacks.checkpoint import Checkpoint
from lit_anndl.data.batches import Batch
from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.modules.exercise import Exercise, Metrics
from lit_anndl.runtime.errors import RunFailure

EPOCHS, STEPS = 3, 4


class Points(InMemoryData):
    """Sixteen numbers, in batches of four."""

    def setup(self, stage: str) -> None:
        self.train = self.test = (torch.arange(16.0)[:, None],)


class Adversaries(Exercise[InMemoryData]):
    """x descends (x - y)², y descends (x + y - 1)², one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.x, self.y = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(-1.0))

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        return ("train/x", "train/y")

    def make_optimizers(self) -> Any:
        return [SGD([self.x], lr=0.1), SGD([self.y], lr=0.2)]

    def losses(self) -> tuple[Tensor, Tensor]:
        return (self.x - self.y) ** 2, (self.x + self.y - 1) ** 2

    def train_batch(self, batch: Batch) -> Metrics:
        one, other = self.optimizers()
        first = self.losses()[0]
        self.descend(one, first)
        second = self.losses()[1]
        self.descend(other, second)
        return {"x": first, "y": second}

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        return {}


class Mean(Exercise[InMemoryData]):
    """The mean of the examples, in closed form, a little more of it at each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        return ("train/mean",)

    def train_batch(self, batch: Batch) -> Metrics:
        self.mean += batch[0].sum() / 16
        return {"mean": self.mean.clone()}

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        return {"mean": batch[0].mean()}


class StopAfter(Callback):
    """Ends training earlier than planned."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 >= self.epochs


def make_trainer(**options: Any) -> Trainer:
    quiet = {
        "logger": False,
        "limit_val_batches": 0,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    return Trainer(**{"accelerator": "cpu", "max_epochs": EPOCHS, "enable_checkpointing": False, **quiet, **options})


def train(module: Exercise[Any], steps_per_execution: int | None = None, **options: Any) -> Trainer:
    trainer = make_trainer(**options)
    trainer.fit(module, datamodule=Points(4, steps_per_execution, seed=0))
    return trainer


def by_hand(batches: int) -> tuple[list[float], list[float]]:
    """x and y after each batch."""
    x, y = [2.0], [-1.0]
    for _ in range(batches):
        x.append(x[-1] - 0.1 * 2 * (x[-1] - y[-1]))
        y.append(y[-1] - 0.2 * 2 * (x[-1] + y[-1] - 1))
    return x, y


@pytest.mark.parametrize("steps_per_execution", [1, 3, None])
def test_two_optimizers_take_turns(steps_per_execution: int | None) -> None:
    module = Adversaries()
    trainer = train(module, steps_per_execution)
    x, y = by_hand(EPOCHS * STEPS)
    assert [module.x.item(), module.y.item()] == pytest.approx([x[-1], y[-1]], abs=1e-6)
    assert trainer.global_step == 2 * EPOCHS * STEPS
    last = range((EPOCHS - 1) * STEPS, EPOCHS * STEPS)
    mean = sum((x[batch] - y[batch]) ** 2 for batch in last) / STEPS
    assert trainer.callback_metrics["train/x"].item() == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize("steps_per_execution", [1, 3, None])
def test_no_more_steps_than_asked_for(steps_per_execution: int | None) -> None:
    module = Adversaries()
    trainer = train(module, steps_per_execution, max_epochs=-1, max_steps=10)
    assert trainer.global_step == 10
    assert module.x.item() == pytest.approx(by_hand(5)[0][-1], abs=1e-6)


def test_bounds_on_gradients_hold_for_each_optimizer() -> None:
    module = Adversaries()
    module.gradient_clipping = (0.5, "norm")
    train(module, max_epochs=1)
    assert module.x.item() == pytest.approx(2 - 0.1 * 0.5 * STEPS)  # its gradient is larger all the time


@pytest.mark.parametrize("every", [1, 2, 10])
def test_without_optimizers_the_last_epoch_is_saved(every: int, tmp_path: Any) -> None:
    checkpoint = Checkpoint(monitor="train/mean", mode="max", every_n_epochs=every)
    checkpoint.dirpath = str(tmp_path)
    module = Mean()
    stop = {"max_epochs": 10, "callbacks": [checkpoint, StopAfter(EPOCHS)], "enable_checkpointing": True}
    train(module, **stop)
    assert module.mean.item() == pytest.approx(EPOCHS * 7.5)
    for name in ("last", "best"):
        saved = torch.load(tmp_path / f"{name}.ckpt", weights_only=True)
        assert saved["state_dict"]["mean"].item() == pytest.approx(EPOCHS * 7.5)
    assert (tmp_path / "last.ckpt").samefile(tmp_path / "best.ckpt")  # written once


class Validated(Mean):
    """Validated at every fourth epoch, on a number that falls by the epoch."""

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        return {"falling": -self.mean.clone()}


def test_weights_that_were_not_validated_are_not_the_best(tmp_path: Any) -> None:
    checkpoint = Checkpoint(monitor="val/falling", every_n_epochs=3)
    checkpoint.dirpath = str(tmp_path)
    data = Points(4, None, seed=0)
    data.validation = (torch.arange(4.0)[:, None],)
    options = {"callbacks": [checkpoint], "enable_checkpointing": True, "check_val_every_n_epoch": 4}
    make_trainer(max_epochs=14, limit_val_batches=1.0, **options).fit(Validated(), datamodule=data)
    best, last = (torch.load(tmp_path / f"{name}.ckpt", weights_only=True) for name in ("best", "last"))
    assert best["epoch"] == 11  # of 3, 6, 9, 12 and 4, 8, 12
    assert last["epoch"] == 13


class Seldom(Mean):
    """Measures a second thing at every other batch."""

    def train_batch(self, batch: Batch) -> Metrics:
        metrics = super().train_batch(batch)
        first = batch[0][0, 0]
        return {**metrics, "first": first} if first % 8 == 0 else metrics


def test_what_some_batches_alone_measure_is_averaged_over_those() -> None:
    data = Points(4, None, seed=0)
    data.shuffle = False
    trainer = make_trainer(max_epochs=1)
    trainer.fit(Seldom(), datamodule=data)
    assert float(trainer.callback_metrics["train/first"]) == 4.0  # of 0 and 8


class Diverging(Mean):
    """Is no number from the third batch on."""

    def train_batch(self, batch: Batch) -> Metrics:
        return {"mean": super().train_batch(batch)["mean"] if batch[0][0, 0] < 8 else torch.tensor(torch.nan)}


@pytest.mark.parametrize("steps_per_execution", [1, 2, None])
def test_divergence_is_told_by_the_batch(steps_per_execution: int | None) -> None:
    data = Points(4, steps_per_execution, seed=0)
    data.shuffle = False
    with pytest.raises(RunFailure, match="mean is nan at step 2 of epoch 0: "):
        make_trainer().fit(Diverging(), datamodule=data)
