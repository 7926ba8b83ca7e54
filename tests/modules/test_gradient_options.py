"""Bounds on gradients, schedules of learning rates, and how often optimizers are made."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.optim import SGD, Optimizer

from lit_anndl.data.batches import TensorBatches
from tests.support.regression import (
    BATCH_SIZE,
    EPOCHS,
    STEPS,
    Points,
    Regression,
    assert_same_weights,
    make_net,
    make_trainer,
    train,
    weights,
)


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
