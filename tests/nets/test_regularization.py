"""Noise, ensembles and penalties."""

import pytest
import torch
from torch import nn

from lit_anndl.nets.ensemble import Ensemble
from lit_anndl.nets.mlp import MLP
from lit_anndl.nets.noise import GaussianNoise
from lit_anndl.nets.penalty import WeightPenalty, weight_matrices


def test_noise_has_its_standard_deviation_in_training_and_none_after() -> None:
    torch.manual_seed(0)
    layer, x = GaussianNoise(0.2), torch.full((100, 1000), 3.0)
    noise = layer(x) - x
    assert noise.std().item() == pytest.approx(0.2, rel=0.02)
    assert abs(noise.mean().item()) < 0.005
    assert torch.equal(layer.eval()(x), x)


def test_ensemble_is_the_average_of_its_members() -> None:
    ensemble = Ensemble(MLP((2, 5, 1)) for _ in range(3)).eval()
    x = torch.randn(7, 2)
    torch.testing.assert_close(ensemble(x), sum(member(x) for member in ensemble.members) / 3)


def test_members_are_trained_on_their_own_examples_or_on_the_same() -> None:
    ensemble = Ensemble(MLP((2, 5, 1)) for _ in range(3))
    x = torch.randn(7, 3, 2)
    expected = [member(x[:, number]) for number, member in enumerate(ensemble.members)]
    torch.testing.assert_close(ensemble(x), torch.stack(expected, dim=1))
    torch.testing.assert_close(ensemble(x[:, 0]), ensemble(x[:, :1].expand(7, 3, 2)))


def test_examples_for_other_members_than_there_are() -> None:
    with pytest.raises(ValueError):
        Ensemble([MLP((2, 1))])(torch.ones(4, 2, 2))


def test_penalty_is_the_sum_over_all_weights_but_the_biases() -> None:
    net = nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 1))
    for parameter, values in zip(net.parameters(), ([[1.0, -2.0]], [9.0], [[3.0]], [9.0]), strict=True):
        parameter.data = torch.tensor(values)
    assert WeightPenalty(weight_matrices(net.parameters()), l1=0.5, l2=0)().item() == pytest.approx(0.5 * 6)
    assert WeightPenalty(weight_matrices(net.parameters()), l1=0, l2=0.1)().item() == pytest.approx(0.1 * 14)


def test_gradient_of_the_penalty() -> None:
    net = MLP((2, 4, 1)).double()
    WeightPenalty(weight_matrices(net.parameters()), l1=0.3, l2=0.7)().backward()
    weight = net[0].weight
    torch.testing.assert_close(weight.grad, 0.3 * weight.detach().sign() + 1.4 * weight.detach())
    assert net[0].bias.grad is None
