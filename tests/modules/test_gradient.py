"""Steps of gradient exercises equal those of a plain loop, however they are grouped."""

from functools import partial

import pytest
import torch
from torch.optim import LBFGS, SGD

from lit_anndl.modules.gradient import GradientExercise
from tests.support.regression import (
    BATCH_SIZE,
    EPOCHS,
    GRADIENT_STEPS,
    SIZE,
    STEPS,
    MakeOptimizer,
    Recorder,
    assert_same_weights,
    make_net,
    train,
    train_by_hand,
    weights,
)


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


@pytest.mark.parametrize("kind", ["norm", "value"])
def test_gradients_of_mixed_precision_are_bounded_for_fused_optimizers(kind: str) -> None:
    clipping = {"gradient_clipping": (1e-3, kind)}
    module = train(partial(SGD, lr=1.0, fused=True), precision="bf16-mixed", **clipping)
    moved = torch.cat(
        [(new - old).flatten() for new, old in zip(weights(module.net), weights(make_net()), strict=True)]
    )
    size = moved.norm() if kind == "norm" else moved.abs().max()
    assert 0 < float(size) <= 1e-3 * EPOCHS * STEPS * (1 + 1e-4)


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
