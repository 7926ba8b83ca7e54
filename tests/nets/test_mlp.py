from itertools import pairwise

import pytest
import torch
from torch import nn

from lit_anndl.nets.mlp import MLP


@pytest.mark.parametrize("sizes", [(2, 1), (2, 50, 1), (2, 50, 50, 1), (5, 4, 3, 2)])
def test_linear_layers_of_these_sizes_with_units_between(sizes: tuple[int, ...]) -> None:
    layers = list(MLP(sizes))
    assert [(layer.in_features, layer.out_features) for layer in layers[::2]] == list(pairwise(sizes))
    assert [type(unit) for unit in layers[1::2]] == [nn.ReLU] * (len(sizes) - 2)


@pytest.mark.parametrize("shape", [(2,), (7, 2), (3, 7, 2)])
def test_acts_on_the_last_dimension(shape: tuple[int, ...]) -> None:
    net, x = MLP((2, 4, 3)), torch.ones(shape)
    assert net(x).shape == (*shape[:-1], 3)


def test_formula() -> None:
    net, x = MLP((2, 4, 4, 1), nn.Tanh).double(), torch.linspace(-1, 1, 6, dtype=torch.float64).view(3, 2)
    first, _, second, _, last = net
    hidden = torch.tanh(torch.tanh(x @ first.weight.T + first.bias) @ second.weight.T + second.bias)
    torch.testing.assert_close(net(x), hidden @ last.weight.T + last.bias)


def test_each_hidden_layer_has_its_own_units() -> None:
    net = MLP((2, 3, 3, 1), nn.PReLU)
    assert net[1] is not net[3]


@pytest.mark.parametrize("sizes", [(2, 50, 50, 1), (3, 2), (1, 8, 5)])
def test_number_of_parameters(sizes: tuple[int, ...]) -> None:
    expected = sum((a + 1) * b for a, b in pairwise(sizes))
    assert sum(p.numel() for p in MLP(sizes).parameters()) == expected
