from copy import deepcopy

import pytest
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from lit_anndl.nets.backpropagation import SquaredErrorBackpropagation
from lit_anndl.nets.forecaster import Forecaster
from lit_anndl.nets.lstm_backpropagation import LSTMStepBackpropagation
from lit_anndl.nets.mlp import MLP
from lit_anndl.nets.population import PopulationLSTM


def problem(sizes: tuple[int, ...], batch: int) -> tuple[MLP, Tensor, Tensor]:
    """A net with inputs and targets, in double precision."""
    torch.manual_seed(0)
    return (
        MLP(sizes).double(),
        torch.randn(batch, sizes[0], dtype=torch.float64),
        torch.randn(batch, sizes[-1], dtype=torch.float64),
    )


def gradients(net: MLP) -> list[Tensor]:
    return [p.grad.clone() for p in net.parameters() if p.grad is not None]


@pytest.mark.parametrize("batch", [1, 40])
@pytest.mark.parametrize("sizes", [(2, 1), (2, 3, 1), (2, 50, 50, 1), (4, 7, 6, 5, 3), (1, 8, 2)])
def test_equals_automatic_differentiation(sizes: tuple[int, ...], batch: int) -> None:
    net, inputs, targets = problem(sizes, batch)
    error = mse_loss(net(inputs), targets)
    error.backward()
    expected = gradients(net)
    net.zero_grad()
    torch.testing.assert_close(SquaredErrorBackpropagation(net)(inputs, targets), error.detach(), rtol=0, atol=1e-12)
    assert len(gradients(net)) == len(expected)
    for ours, theirs in zip(gradients(net), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("members", [1, 3])
def test_a_step_of_lstm_equals_automatic_differentiation(members: int) -> None:
    torch.manual_seed(0)
    ours = Forecaster(PopulationLSTM(2 * members, 5, 4), members).double()
    theirs = deepcopy(ours)
    backpropagate = LSTMStepBackpropagation(ours)
    for _ in range(3):  # the state goes on
        windows, targets = torch.randn((1, 2, 5)).double(), torch.randn((1, 2, 1)).double()
        theirs.zero_grad()
        squares = (theirs(windows) - targets.repeat_interleave(members, dim=1)).square()
        squares.sum().backward()
        error = backpropagate(windows, targets)
        torch.testing.assert_close(error, squares.detach().mean(), rtol=0, atol=1e-12)
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, other.grad, rtol=0, atol=1e-12)


def test_equals_finite_differences() -> None:
    net, inputs, targets = problem((2, 5, 4, 2), 7)
    backpropagate, step = SquaredErrorBackpropagation(net), 1e-6
    backpropagate(inputs, targets)
    for parameter, gradient in zip(list(net.parameters()), gradients(net), strict=True):
        values = parameter.detach().view(-1)
        differences = []
        for index, value in enumerate(values.tolist()):
            values[index] = value + step
            above = backpropagate(inputs, targets)
            values[index] = value - step
            differences.append((above - backpropagate(inputs, targets)) / (2 * step))
            values[index] = value
        torch.testing.assert_close(torch.stack(differences).view_as(gradient), gradient, rtol=0, atol=1e-8)


def test_gradients_are_replaced_not_added_up() -> None:
    net, inputs, targets = problem((2, 3, 1), 5)
    backpropagate = SquaredErrorBackpropagation(net)
    backpropagate(inputs, targets)
    once = gradients(net)
    backpropagate(inputs, targets)
    for first, second in zip(once, gradients(net), strict=True):
        assert torch.equal(first, second)


def test_dead_units_pass_nothing_on() -> None:
    """A unit exactly at zero has derivative zero, as in torch."""
    net, inputs, targets = problem((2, 3, 1), 5)
    with torch.no_grad():
        net[0].weight.zero_()
        net[0].bias.zero_()
    SquaredErrorBackpropagation(net)(inputs, targets)
    assert not net[0].weight.grad.any()
    assert not net[0].bias.grad.any()
    assert net[2].bias.grad.any()


def test_leaves_the_batch_and_the_weights_as_they_are() -> None:
    net, inputs, targets = problem((2, 3, 1), 5)
    tensors = [inputs, targets, *net.parameters()]
    before = [tensor.detach().clone() for tensor in tensors]
    SquaredErrorBackpropagation(net)(inputs, targets)
    for tensor, copy in zip(tensors, before, strict=True):
        assert torch.equal(tensor, copy)


def test_follows_the_net_to_another_precision() -> None:
    net, inputs, targets = problem((2, 3, 1), 5)
    backpropagate = SquaredErrorBackpropagation(net)
    net.float()
    assert backpropagate(inputs.float(), targets.float()).dtype == torch.float32
    assert all(gradient.dtype == torch.float32 for gradient in gradients(net))
