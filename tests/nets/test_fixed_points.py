"""Fixed points of small networks, all of them."""

import pytest
import torch

from lit_anndl.nets.fixed_points import fixed_points
from lit_anndl.nets.hopfield import hebb, lssm
from lit_anndl.nets.recall import recall
from tests.nets.test_hopfield import THREE, network, random_patterns


def found(net, kind):
    return {tuple(round(value, 7) + 0.0 for value in p.state.tolist()) for p in fixed_points(net) if p.kind == kind}


def test_the_plane():
    net = network(*lssm(torch.tensor([[1, 1], [-1, -1], [1, -1]])))
    assert found(net, "attractor") == {(1, 1), (-1, -1), (1, -1), (-1, 1)}
    assert found(net, "saddle") == {(1, 0), (-1, 0), (0, 1), (0, -1)}
    assert found(net, "repeller") == {(0, 0)}


def test_published_unstable_states():
    net = network(*lssm(torch.tensor(THREE)))
    assert found(net, "attractor") == {tuple(map(float, pattern)) for pattern in THREE}
    saddles = found(net, "saddle")
    assert {(-0.0604547, -1, -0.0604547), (0.3666667, -0.3666667, 0.3666667)} < saddles
    assert len(saddles) == 4


@pytest.mark.parametrize("seed", range(5))
def test_they_are_fixed_and_classified_as_they_behave(seed):
    net = network(*lssm(random_patterns(3, 4, seed)))
    generator = torch.Generator().manual_seed(seed)
    for point in fixed_points(net):
        assert torch.allclose(net(point.state), point.state, atol=1e-9)
        noise = 1e-3 * torch.randn((200, 4), generator=generator).double()
        ended = recall(net, (point.state + noise).clamp(-1, 1), 2000, 1e-9).states
        back = (ended - point.state).abs().amax(1) < 1e-4
        assert back.all() if point.kind == "attractor" else not back.all()


@pytest.mark.parametrize("seed", range(5))
def test_whatever_attracts_is_among_them(seed):
    net = network(*lssm(random_patterns(4, 5, seed)))
    starts = torch.rand((500, 5), generator=torch.Generator().manual_seed(seed)).double() * 2 - 1
    ended = recall(net, starts, 5000, 1e-12).states
    states = torch.stack([point.state for point in fixed_points(net)])
    assert ((ended[:, None] - states).abs().amax(2) < 1e-6).any(1).all()


def test_corners_of_a_network_of_signs():
    net = network(*hebb(random_patterns(2, 6)), "sign")
    states = 2.0 * torch.cartesian_prod(*[torch.arange(2)] * 6).double() - 1
    field = states @ net.weights
    expected = states[(field * states > 0).all(1)]
    assert found(net, "attractor") == {tuple(state.tolist()) for state in expected}


def test_a_field_of_nothing_is_marginal():
    assert {point.kind for point in fixed_points(network(torch.zeros(2, 2), torch.zeros(2), "sign"))} == {"marginal"}


def test_refuses_large_networks():
    with pytest.raises(ValueError, match="up to 8 units; the network has 9"):
        fixed_points(network(torch.eye(9), torch.zeros(9)))
