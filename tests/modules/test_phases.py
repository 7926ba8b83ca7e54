"""Phases of a run: which one an epoch is in, and that each trains its own modules with its own optimizer."""

from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam

from lit_anndl.data.batches import Batch
from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.modules.exercise import Exercise, Metrics
from lit_anndl.modules.phases import Phase, Phases
from lit_anndl.runtime.errors import InputError

LENGTHS = {"first": 2, "left out": 0, "second": 3, "last": 1}


def named(lengths: dict[str, int]) -> Phases:
    return Phases(Phase(name, epochs, (), SGD, lambda batch: {}) for name, epochs in lengths.items())


def test_an_epochs_phase_is_a_function_of_the_epoch() -> None:
    phases = named(LENGTHS)
    assert phases.epochs == 6
    assert phases.starts == {"first": 0, "second": 2, "last": 5}
    expected = ["first"] * 2 + ["second"] * 3 + ["last"] * 4  # the last one goes on
    assert [phases.at(epoch).name for epoch in range(9)] == expected
    assert [epoch for epoch in range(9) if phases.begins(epoch)] == [0, 2, 5]
    assert [epoch for epoch in range(9) if phases.is_last(epoch)] == [5, 6, 7, 8]
    assert [phases.index(epoch) for epoch in range(9)] == [0, 0, 1, 1, 1, 2, 2, 2, 2]


def test_a_rate_falls_within_its_phase_alone() -> None:
    phases = Phases(Phase(name, 4, (), SGD, lambda batch: {}, anneal) for name, anneal in (("a", False), ("b", True)))
    rates = {}
    for phase in phases.phases:
        optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.8)
        for epoch in (0, 1, 3, 4, 9):
            phase.set_rate(optimizer, epoch)
            rates[phase.name, epoch] = optimizer.param_groups[0]["lr"]
    assert {rates["a", epoch] for epoch in (0, 1, 3, 4, 9)} == {0.8}
    expected = [0.8, 0.6, 0.2, 0.2, 0.2]  # prolonged, it stays
    assert [rates["b", epoch] for epoch in (0, 1, 3, 4, 9)] == pytest.approx(expected)


class Points(InMemoryData):
    """Eight numbers in batches of two."""

    def setup(self, stage: str) -> None:
        self.train = self.test = (torch.arange(8.0)[:, None] / 8,)


class Scales(Exercise[InMemoryData]):
    """Two factors that descend their squares, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = nn.ModuleList(nn.Linear(1, 1, bias=False) for _ in range(2))
        makers = (partial(SGD, lr=0.1, momentum=0.9), partial(Adam, lr=0.1))
        parts = zip(self.factors, makers, strict=True)
        self.phases = Phases(
            Phase(f"factor {k}", 2, (factor,), make, partial(self.square, k)) for k, (factor, make) in enumerate(parts)
        )

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        return ("train/0", "train/1")

    def make_optimizers(self) -> Any:
        return self.phases.make_optimizers()

    def square(self, k: int, batch: Batch) -> dict[str, Tensor]:
        return {str(k): self.factors[k](batch[0]).square().mean()}

    def on_train_epoch_start(self) -> None:
        self.optimizer = self.phases.enter(self)

    def train_batch(self, batch: Batch) -> Metrics:
        metrics = self.phases.at(self.current_epoch).measure(batch)
        self.descend(self.optimizer, next(iter(metrics.values())))
        return metrics

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        return {}


class Recorder(Callback):
    """The factors and the names of the metrics after each epoch."""

    def __init__(self) -> None:
        self.factors: list[list[float]] = []
        self.metrics: list[set[str]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.factors.append([parameter.item() for parameter in pl_module.parameters()])

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.metrics.append(set(trainer.callback_metrics))


def train(module: Exercise[Any], epochs: int) -> tuple[Trainer, Recorder]:
    recorder = Recorder()
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        enable_checkpointing=False,
        limit_val_batches=0,
        callbacks=[recorder],
        **quiet,
    )
    trainer.fit(module, datamodule=Points(2, None, seed=0))
    return trainer, recorder


def test_each_phase_moves_its_own_modules() -> None:
    module = Scales()
    begun = [parameter.item() for parameter in module.parameters()]
    trainer, recorder = train(module, 5)
    first, second = zip(begun, *recorder.factors, strict=True)
    assert len(set(first[:3])) == 3 and len(set(first[2:])) == 1
    assert len(set(second[:3])) == 1 and len(set(second[2:])) == 4  # the last phase is prolonged
    assert [type(optimizer) for optimizer in trainer.optimizers] == [SGD, Adam]
    assert trainer.global_step == 5 * 4


def test_metrics_of_a_phase_are_forgotten_in_the_next() -> None:
    trainer, recorder = train(Scales(), 4)
    assert recorder.metrics == [set(), {"train/0"}, {"train/0"}, {"train/1"}]  # this callback comes before the module
    assert set(trainer.callback_metrics) == {"train/1"}


def test_an_optimizer_that_needs_a_closure() -> None:
    phase = Phase("last", 1, (nn.Linear(1, 1),), LBFGS, lambda batch: {})
    with pytest.raises(InputError, match="the optimizer of phase last: LBFGS was given, expected one"):
        phase.make_optimizer()
