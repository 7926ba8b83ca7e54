from itertools import pairwise
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from lit_anndl.nets.mlp import ACTIVATIONS, MLP, Activation


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
    net, x = MLP((2, 4, 4, 1), ["tanh", "silu"]).double(), inputs(3)
    first, _, second, _, last = net
    hidden = nn.functional.silu(torch.tanh(x @ first.weight.T + first.bias) @ second.weight.T + second.bias)
    torch.testing.assert_close(net(x), hidden @ last.weight.T + last.bias)


def test_one_activation_stands_for_all() -> None:
    assert str(MLP((2, 3, 3, 1), "tanh")) == str(MLP((2, 3, 3, 1), ["tanh", "tanh"]))


def test_every_activation_is_torchs() -> None:
    assert set(ACTIVATIONS) == set(get_args(Activation))
    for name, module in ACTIVATIONS.items():
        function = getattr(nn.functional, name, None) or getattr(torch, name)
        x = torch.linspace(-3, 3, 13)
        torch.testing.assert_close(MLP((1, 1, 1), name)[1](x), function(x))
        assert module.__name__.lower() == name.replace("_", "")


@pytest.mark.parametrize("names", [[], ["tanh"], ["tanh"] * 3])
def test_an_activation_per_hidden_layer(names: list[Activation]) -> None:
    with pytest.raises(ValueError, match=f"^{len(names)} activations were given for 2 hidden layers; expected as many"):
        MLP((2, 3, 3, 1), names)


@pytest.mark.parametrize("sizes", [(2, 50, 50, 1), (3, 2), (1, 8, 5)])
def test_number_of_parameters(sizes: tuple[int, ...]) -> None:
    expected = sum((a + 1) * b for a, b in pairwise(sizes))
    assert sum(p.numel() for p in MLP(sizes).parameters()) == expected


@pytest.mark.parametrize("options", [{"dropout": 0.5}, {"jitter": 0.3}])
def test_noise_in_training_alone(options: dict[str, float]) -> None:
    torch.manual_seed(0)
    net, x = MLP((2, 6, 6, 1), "tanh", **options).double(), inputs(5)
    assert not torch.equal(net.train()(x), net(x))
    assert torch.equal(net.eval()(x), net(x))
    without = MLP((2, 6, 6, 1), "tanh").double()
    without.load_state_dict(dict(zip(without.state_dict(), net.state_dict().values(), strict=True)))
    torch.testing.assert_close(net(x), without(x))


def test_dropout_preserves_the_mean() -> None:
    torch.manual_seed(0)
    net, x = MLP((2, 20, 1), "tanh", dropout=0.3).double(), inputs(1).expand(40_000, 2)
    assert net(x).mean().item() == pytest.approx(net.eval()(x[:1]).item(), abs=0.01)


def test_batch_norm_standardises_what_the_activation_gets() -> None:
    torch.manual_seed(0)
    net, x = MLP((2, 7, 1), "tanh", batch_norm=True).double(), 5 + 3 * inputs(50)
    before = net[1](net[0](x))
    torch.testing.assert_close(before.mean(dim=0), torch.zeros(7).double())
    torch.testing.assert_close(before.var(dim=0, unbiased=False), torch.ones(7).double(), rtol=1e-3, atol=1e-3)


def test_glorots_start() -> None:
    torch.manual_seed(0)
    net = MLP((300, 500, 1), "tanh", glorot_gain=5 / 3)
    bound = 5 / 3 * (6 / 800) ** 0.5
    assert net[0].weight.abs().max().item() == pytest.approx(bound, rel=1e-3)
    assert net[0].weight.std().item() == pytest.approx(bound / 3**0.5, rel=1e-2)
    assert not net[0].bias.any() and not net[2].bias.any()


def inputs(n: int) -> Tensor:
    return torch.randn((n, 2), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
