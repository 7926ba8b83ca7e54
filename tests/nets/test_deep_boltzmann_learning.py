from copy import deepcopy

import pytest
import torch

from lit_anndl.nets.binary_units import draw
from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.contrastive_divergence import Statistics, leave_gradient, run_from_hidden
from lit_anndl.nets.deep_boltzmann import DBM
from lit_anndl.nets.deep_boltzmann_learning import DBMLearning


def machine() -> tuple[DBM, DBMLearning, torch.Tensor]:
    torch.manual_seed(0)
    dbm = DBM(6, 4, 3, scale=1.0)
    return dbm, DBMLearning(dbm, chains=5, gibbs_steps=2, scale=1.0), torch.bernoulli(torch.full((7, 6), 0.5))


def test_layers_alone_are_stacked_into_the_machine():
    dbm, learning, v = machine()
    learning.stack(dbm)
    first = (2 * v @ learning.layer(1).weight + learning.layer(1).hidden_bias).sigmoid()
    torch.testing.assert_close(learning.layer(1).hidden_probability(v), first)
    assert torch.equal(dbm.lower, learning.layer(1).weight) and torch.equal(dbm.upper, learning.layer(2).weight)


def test_the_second_layer_sees_states_of_the_first():
    _, learning, v = machine()
    below = torch.stack([learning.below(2, v) for _ in range(4000)])
    assert set(below.unique().tolist()) <= {0.0, 1.0}
    torch.testing.assert_close(below.mean(dim=0), learning.layer(1).hidden_probability(v), rtol=0, atol=0.04)
    assert torch.equal(learning.below(1, v), v)


@pytest.mark.parametrize("steps", [1, 3])
def test_a_layers_gradient_is_that_of_contrastive_divergence_between_data_and_what_they_lead_to(steps):
    dbm, _, v = machine()
    learning = DBMLearning(dbm, layer_steps=steps, scale=1.0)
    layer, again = learning.layer(1), deepcopy(learning.layer(1))
    with torch.random.fork_rng():
        data = learning.leave_layer_gradient(1, v)
    torch.testing.assert_close(data.hidden, layer.hidden_probability(v))
    leave_gradient(again, data, run_from_hidden(again, draw(data.hidden), steps))  # by the same random numbers
    for ours, theirs in zip(layer.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
    assert all(parameter.grad is None for parameter in learning.layer(2).parameters())


def test_chains_begin_at_noise_and_go_on():
    dbm, learning, v = machine()
    begun = DBMLearning(dbm, chains=4000)
    for states in (begun.visible, begun.first, begun.second):
        assert set(states.unique().tolist()) == {0.0, 1.0}
        assert (states.mean(dim=0) - 0.5).abs().max() < 0.04
    before = learning.first.clone()
    learning.leave_joint_gradient(dbm, v)
    assert not torch.equal(before, learning.first)
    torch.testing.assert_close(dbm.visible_bias.grad, learning.visible.mean(dim=0) - v.mean(dim=0))


def test_without_an_upper_matrix_the_joint_gradient_is_a_restricted_machines():
    dbm, learning, v = machine()
    torch.nn.init.zeros_(dbm.upper)
    means = learning.leave_joint_gradient(dbm, v)
    rbm = RBM(6, 4)
    rbm.weight.data, rbm.hidden_bias.data = dbm.lower.data, dbm.first_bias.data
    chains = Statistics(learning.visible, rbm.hidden_probability(learning.visible))
    leave_gradient(rbm, Statistics(v, means.hidden), chains)
    for ours, theirs in ((dbm.lower, rbm.weight), (dbm.first_bias, rbm.hidden_bias)):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_joint_gradient_takes_the_chains_first_layer_by_its_mean_given_the_others():
    dbm, learning, v = machine()
    means = dbm.mean_field(v, learning.mean_field_steps)
    learning.leave_joint_gradient(dbm, v)
    first = dbm.first_probability(learning.visible, learning.second)
    torch.testing.assert_close(dbm.first_bias.grad, first.mean(dim=0) - means.first.mean(dim=0))
    upper = first.T @ learning.second / len(first) - means.first.T @ means.second / len(v)
    torch.testing.assert_close(dbm.upper.grad, upper)
