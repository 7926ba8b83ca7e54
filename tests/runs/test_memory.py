import pytest
import torch
from torch import nn
from torch.optim import LBFGS, SGD, Adam, Optimizer

from lit_anndl.runs.memory import state_bytes

PARAMETERS, BYTES = 12, 4


def after_steps(optimizer: Optimizer, net: nn.Module, steps: int) -> int:
    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = net(torch.ones(3, 3)).square().sum()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)
    return state_bytes(optimizer)


@pytest.mark.parametrize(
    ("make", "copies", "scalars"),
    [(SGD, 0, 0), (lambda p: SGD(p, momentum=0.9), 1, 0), (lambda p: Adam(p, fused=True), 2, 2)],
)
def test_copies_of_the_parameters(make, copies, scalars):
    net = nn.Linear(3, 3)
    assert after_steps(make(net.parameters()), net, 2) == BYTES * (PARAMETERS * copies + scalars)


def test_history_of_lbfgs_grows_to_its_size():
    def size(steps: int) -> int:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
        return after_steps(LBFGS(net.parameters(), lr=0.1, max_iter=1, history_size=3), net, steps)

    assert size(3) - size(2) == pytest.approx(2 * BYTES * PARAMETERS, abs=2 * BYTES)  # y, s; 1 / yᵀs, α
    assert size(9) == size(8)
