from collections.abc import Iterator
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.optim import SGD

from lit_anndl.callbacks.threads import SINGLE_THREAD_FLOPS, ThreadChoice, flops_per_step
from lit_anndl.data.batches import Batch
from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.modules.exercise import Metrics
from lit_anndl.modules.gradient import GradientExercise

# Lightning 2.6 makes its loaders' pytrees by a name that torch has deprecated since.

DEFAULT = 2
BATCH = 8
WIDE = 2048  # 3 · 2 · 8 · 2048² operations are more than SINGLE_THREAD_FLOPS


class Module(GradientExercise[InMemoryData]):
    metric_names = ("mse",)

    def measure(self, outputs: Tensor, batch: Batch) -> Metrics:
        return {"mse": mse_loss(outputs, batch[1])}


class Data(InMemoryData):
    def __init__(self, width: int, steps_per_execution: int | None = 1) -> None:
        super().__init__(BATCH, steps_per_execution, seed=0)
        self.width = width

    def setup(self, stage: str) -> None:
        self.train = self.test = (torch.ones(2 * BATCH, self.width), torch.ones(2 * BATCH, self.width))


class Spy(Callback):
    """Notes the number of threads in training and in test, and what a step costs."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.threads = torch.get_num_threads()
        before, mode = torch.get_rng_state(), pl_module.training
        self.flops = flops_per_step(pl_module, trainer)
        self.drew = not torch.equal(before, torch.get_rng_state())
        self.changed_mode = pl_module.training is not mode

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.threads_of_test = torch.get_num_threads()


class Breaks(Callback):
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        raise RuntimeError("broken")


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(DEFAULT)
    yield
    torch.set_num_threads(before)


def fit(net: nn.Module, width: int, choice: ThreadChoice, *callbacks: Callback, **data: Any) -> Spy:
    spy = Spy()
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        callbacks=[choice, spy, *callbacks],
    )
    module = Module(lambda parameters: SGD(parameters, lr=0.01), net)
    trainer.fit(module, datamodule=Data(width, **data))
    trainer.test(module, datamodule=Data(width, **data), verbose=False)
    return spy


@pytest.mark.parametrize(
    ("width", "threads", "expected"), [(4, None, 1), (WIDE, None, DEFAULT), (4, 2, 2), (WIDE, 1, 1), (4, 3, 3)]
)
def test_small_nets_run_on_one_thread_unless_told_otherwise(width: int, threads: int | None, expected: int) -> None:
    spy = fit(nn.Linear(width, width), width, ThreadChoice(threads))
    assert (spy.flops < SINGLE_THREAD_FLOPS) == (width == 4)
    assert spy.threads == spy.threads_of_test == expected
    assert torch.get_num_threads() == DEFAULT


def test_threads_outlive_no_run() -> None:
    for width, expected in ((4, 1), (WIDE, DEFAULT), (4, 1)):
        assert fit(nn.Linear(width, width), width, ThreadChoice()).threads == expected


@pytest.mark.parametrize("steps_per_execution", [1, 2, None])
def test_operations_of_a_step(steps_per_execution: int | None) -> None:
    """A product of (B, n) and (n, n) matrices is 2 B n² operations, and training takes three such."""
    spy = fit(nn.Linear(4, 4), 4, ThreadChoice(), steps_per_execution=steps_per_execution)
    assert spy.flops == 3 * 2 * BATCH * 4 * 4


def test_counting_draws_no_random_numbers_and_leaves_the_mode() -> None:
    spy = fit(nn.Sequential(nn.Linear(4, 4), nn.Dropout()), 4, ThreadChoice())
    assert not spy.drew
    assert not spy.changed_mode


def test_counting_leaves_running_statistics() -> None:
    counted, plain = (nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)) for _ in range(2))
    plain.load_state_dict(counted.state_dict())
    fit(counted, 4, ThreadChoice())
    fit(plain, 4, ThreadChoice(threads=1))
    assert counted[1].num_batches_tracked == plain[1].num_batches_tracked
    torch.testing.assert_close(counted[1].running_mean, plain[1].running_mean)


def test_threads_are_given_back_after_a_failure() -> None:
    with pytest.raises(RuntimeError, match="broken"):
        fit(nn.Linear(4, 4), 4, ThreadChoice(), Breaks())
    assert torch.get_num_threads() == DEFAULT
