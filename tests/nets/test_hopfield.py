"""Hopfield networks: what is stored is fixed, energies fall, batches agree with loops."""

import numpy as np
import pytest
import torch

from lit_anndl.nets.hopfield import DenseAssociativeMemory, Hopfield, asynchronous, hebb, lssm
from lit_anndl.nets.recall import Recall, recall, trajectory

THREE = [[1, 1, 1], [-1, -1, 1], [1, -1, -1]]


def random_patterns(number, units, seed=0):
    return 2.0 * torch.randint(2, (number, units), generator=torch.Generator().manual_seed(seed)).double() - 1


def network(weights, bias, transfer="satlins"):
    net = Hopfield(len(bias), transfer).double()
    net.store(weights, bias)
    return net


def test_published_weights_in_two_dimensions():
    weights, bias = lssm(torch.tensor([[1, 1], [-1, -1], [1, -1]]))
    assert torch.allclose(weights, 1.16183424 * torch.eye(2).double(), atol=1e-8)
    assert bias.abs().max() < 1e-12


def test_published_weights_in_three_dimensions():
    weights, bias = lssm(torch.tensor(THREE))
    off = torch.tensor([[0, 1, -1], [1, 0, 1], [-1, 1, 0]]) * 0.31290136
    assert torch.allclose(weights, 0.84893288 * torch.eye(3).double() + off, atol=1e-8)
    assert torch.allclose(bias, 0.28485227 * torch.tensor([1.0, -1, 1]).double(), atol=1e-8)


def test_lssm_is_the_sampled_linear_system():
    """W = exp(hT) and b = ∫ exp(ρT) dρ c, by a matrix exponential and a sum."""
    patterns, tau, step = random_patterns(4, 9), 3.0, 0.2
    differences = (patterns[:-1] - patterns[-1]).T
    inside = differences @ torch.linalg.pinv(differences)
    system = inside - tau * (torch.eye(9) - inside)
    offset = patterns[-1] - system @ patterns[-1]
    times = (torch.arange(2000).double() + 0.5) * step / 2000
    integral = torch.stack([torch.matrix_exp(time * system) for time in times]).mean(0) * step
    weights, bias = lssm(patterns, tau, step)
    assert torch.allclose(weights, torch.matrix_exp(step * system), atol=1e-10)
    assert torch.allclose(bias, integral @ offset, atol=1e-6)


@pytest.mark.parametrize(("number", "units"), [(2, 5), (10, 30), (12, 12), (40, 20)])
def test_lssm_stores_any_patterns(number, units):
    patterns = random_patterns(number, units)
    assert torch.allclose(network(*lssm(patterns))(patterns), patterns)


@pytest.mark.parametrize("seed", range(20))
def test_hebbs_energy_never_rises_one_unit_at_a_time(seed):
    generator = torch.Generator().manual_seed(seed)
    net = network(*hebb(random_patterns(5 + seed, 20, seed)), "sign")
    states = torch.rand((50, 20), generator=generator).double() * 2 - 1
    for _ in range(5):
        for unit in torch.randperm(20, generator=generator).tolist():
            after = net.sweep(states, torch.tensor([unit]))
            assert (net.energy(after) <= net.energy(states) + 1e-12).all()
            states = after
    assert (states.abs() == 1).all()


@pytest.mark.parametrize("order", [2, 3, 4])
def test_dense_energy_never_rises_one_unit_at_a_time(order):
    memory = DenseAssociativeMemory(6, 12, order).double()
    memory.store(random_patterns(6, 12))
    states = random_patterns(40, 12, 1)
    update = asynchronous(memory, torch.Generator().manual_seed(0))
    energies = memory.energy(trajectory(update, states, 4))
    assert (energies.diff(dim=0) <= 1e-12).all() and (energies[-1] < energies[0]).any()


@pytest.mark.parametrize("synchronous", [True, False])
def test_order_two_is_hebbs_rule(synchronous):
    patterns, states = random_patterns(7, 30), random_patterns(100, 30, 1)  # 7 odd, 30 even: no field is zero
    plain, dense = network(*hebb(patterns), "sign"), DenseAssociativeMemory(7, 30, 2).double()
    dense.store(patterns)
    order = torch.randperm(30)
    ours, theirs = (net(states) if synchronous else net.sweep(states, order) for net in (dense, plain))
    assert torch.equal(ours, theirs)


def test_dense_update_takes_the_value_of_lower_energy():
    memory = DenseAssociativeMemory(9, 10, 3).double()
    memory.store(random_patterns(9, 10))
    states = random_patterns(64, 10, 1)
    updated = memory(states)
    for unit in range(10):
        up, down = (states.index_fill(1, torch.tensor([unit]), value) for value in (1.0, -1.0))
        difference = memory.energy(down) - memory.energy(up)
        clear = difference.abs() > 1e-12
        assert torch.equal(updated[clear, unit], difference[clear].sign())


def test_a_unit_without_a_field_keeps_its_state():
    net = network(torch.zeros(3, 3), torch.zeros(3), "sign")
    states = random_patterns(8, 3)
    assert torch.equal(net(states), states)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_makes_no_field_of_nothing(dtype):
    """With an even number of units minus one and of patterns, many fields are zero but for rounding."""
    patterns, states = random_patterns(6, 8).to(dtype), random_patterns(200, 8, 1).to(dtype)
    net, dense = Hopfield(8, "sign").to(dtype), DenseAssociativeMemory(6, 8, 2).to(dtype)
    net.store(*hebb(patterns))
    dense.store(patterns)
    field = states.long() @ (patterns.long().T @ patterns.long() - 6 * torch.eye(8).long())
    expected = torch.where(field == 0, states, field.sign().to(dtype))
    assert (field == 0).any()
    assert torch.equal(net(states), expected) and torch.equal(dense(states), expected)


def test_recall_agrees_with_a_loop_over_states():
    weights, bias = lssm(torch.tensor(THREE))
    starts = torch.rand((200, 3), generator=torch.Generator().manual_seed(0)).double() * 2 - 1
    found = recall(network(weights, bias), starts, 100, 1e-9)
    for start, end, iterations in zip(starts.numpy(), found.states.numpy(), found.iterations.tolist(), strict=True):
        state, count = start, 0
        while True:
            after = np.clip(weights.numpy() @ state + bias.numpy(), -1, 1)
            if np.abs(after - state).max() <= 1e-9:
                break
            state, count = after, count + 1
        assert count == iterations
        assert np.allclose(after, end, atol=1e-12)


def test_recall_tells_what_has_not_converged():
    flip = network(torch.tensor([[0.0, -1], [-1, 0]]), torch.zeros(2), "sign")
    found = recall(flip, torch.tensor([[1.0, 1], [1, -1]]).double(), 7, 0)
    assert found.converged.tolist() == [False, True] and found.iterations.tolist() == [7, 0]
    assert Recall.joined([found, found])[torch.tensor([1, 3])].converged.all()


def test_refuses_what_cannot_be_stored():
    with pytest.raises(ValueError, match="1 was given, expected two or more"):
        lssm(torch.ones(1, 4))
    with pytest.raises(ValueError, match=r"a value of 0\.5 was given"):
        hebb(torch.tensor([[1, 0.5]]))
