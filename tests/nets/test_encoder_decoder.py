from itertools import pairwise

import pytest
import torch
from torch import nn

from lit_anndl.nets.encoder_decoder import StackedAutoencoder


@pytest.mark.parametrize("hidden", [[7], [9, 4], [8, 6, 3]])
def test_layers_on_top_of_each_other(hidden: list[int]) -> None:
    net, x = StackedAutoencoder(12, hidden, 5), torch.rand(3, 12)
    assert net.depth == len(hidden)
    h = x
    for k, units in enumerate(hidden, start=1):
        below, h = h, net.layer(k)(h)
        assert h.shape == (3, units)
        torch.testing.assert_close(net.encode(x, k), h)
        back = net.decode(h, k)
        assert back.shape == below.shape and back.min() > 0 and back.max() < 1
    torch.testing.assert_close(net.readout(h), net(x))
    torch.testing.assert_close(net.encode(x), h)
    torch.testing.assert_close(net(x.unflatten(1, (3, 4))), net(x))


def test_decoders_above_the_first_apply_what_the_layers_do() -> None:
    net = StackedAutoencoder(6, [5, 4, 3], 2, "tanh")
    assert [type(decoder[-1]) for decoder in net.decoders] == [nn.Sigmoid, nn.Tanh, nn.Tanh]


def test_a_layer_is_a_part_of_the_perceptron() -> None:
    net = StackedAutoencoder(6, [5, 4], 2)
    parts = (net.layer(1), net.layer(2), net.readout)
    own = [id(parameter) for part in parts for parameter in part.parameters()]
    assert own == [id(parameter) for parameter in net.perceptron.parameters()]


def test_glorots_start_is_that_of_all_layers() -> None:
    net = StackedAutoencoder(300, [200, 100], 10, glorot_gain=4)
    weights = [p for p in net.perceptron.parameters() if p.dim() == 2]
    for matrix, (inputs, units) in zip(weights, pairwise((300, 200, 100, 10)), strict=True):
        assert matrix.abs().max().item() == pytest.approx(4 * (6 / (inputs + units)) ** 0.5, rel=0.01)
    assert not any(p.any() for p in net.parameters() if p.dim() == 1)
