from itertools import pairwise, product

import pytest
import torch

from lit_anndl.nets.deep_boltzmann import DBM, LayerAlone, States, stack
from lit_anndl.nets.enumerated_states import EnumeratedStates

SIZES = (4, 3, 2)


def machine(scale: float = 1.0) -> DBM:
    torch.manual_seed(0)
    dbm = DBM(*SIZES, scale=scale).double()
    for bias in (dbm.visible_bias, dbm.first_bias, dbm.second_bias):
        torch.nn.init.normal_(bias)
    return dbm


def all_states() -> States:
    states = torch.tensor(list(product([0.0, 1.0], repeat=sum(SIZES))), dtype=torch.float64)
    return States(*states.split(SIZES, dim=1))


def marginal(dbm: DBM) -> torch.Tensor:
    """log Σ_h exp(-E(v, h)) of all v: (16,)."""
    return (-dbm.energy(all_states())).reshape(16, -1).logsumexp(dim=1).detach()


def test_its_partition_function_is_that_of_a_restricted_machine():
    dbm = machine()
    log_z = float((-dbm.energy(all_states())).logsumexp(dim=0).detach())
    assert EnumeratedStates(dbm.as_rbm()).log_z == pytest.approx(log_z, abs=1e-10)


def test_conditionals_are_those_of_the_joint_distribution():
    dbm, (v, h1, h2) = machine(), all_states()
    p = (-dbm.energy(all_states())).exp()
    for given, of, found in (
        ((h1,), v, dbm.visible_probability(h1)),
        ((h1,), h2, dbm.second_probability(h1)),
        ((v, h2), h1, dbm.first_probability(v, h2)),
    ):
        key = torch.cat(given, dim=1)
        same = (key.unsqueeze(0) == key[5]).all(dim=-1).squeeze(0)
        torch.testing.assert_close(found[5], (p[same].unsqueeze(1) * of[same]).sum(0) / p[same].sum())


def test_chains_reach_the_distribution():
    dbm, generator = machine(), torch.Generator().manual_seed(0)
    states = States(*(torch.zeros(30_000, size, dtype=torch.float64) for size in SIZES))
    for _ in range(30):
        states = dbm.gibbs_step(states, generator)
    expected = (-dbm.energy(all_states())).softmax(dim=0).detach()
    for found, of in zip(states, all_states(), strict=True):
        torch.testing.assert_close(found.mean(dim=0), expected @ of, rtol=0, atol=0.015)


def test_mean_field_raises_a_bound_on_the_marginal():
    dbm, v = machine(), torch.tensor(list(product([0.0, 1.0], repeat=4)), dtype=torch.float64)
    bounds = [dbm.bound(dbm.mean_field(v, steps)).detach() for steps in (0, 1, 2, 5, 50)]
    for before, after in pairwise(bounds):
        assert bool((after >= before - 1e-12).all())
    assert bool((bounds[-1] <= marginal(dbm)).all())


def test_the_bound_is_tight_without_weights_between_hidden_units():
    dbm = machine()
    torch.nn.init.zeros_(dbm.upper)
    v = torch.tensor(list(product([0.0, 1.0], repeat=4)), dtype=torch.float64)
    torch.testing.assert_close(dbm.bound(dbm.mean_field(v, 1)).detach(), marginal(dbm))


def test_gradient_is_that_of_the_bound_and_of_the_chains_energy():
    dbm, generator = machine(), torch.Generator().manual_seed(1)
    v = torch.bernoulli(torch.full((5, 4), 0.5, dtype=torch.float64), generator=generator)
    means = States(*(each.detach() for each in dbm.mean_field(v, 100)))
    halves = [torch.full((7, size), 0.5, dtype=torch.float64) for size in SIZES]
    chains = States(*(torch.bernoulli(each, generator=generator) for each in halves))
    dbm.leave_gradient(means, chains)
    found = [parameter.grad.clone() for parameter in dbm.parameters()]
    dbm.zero_grad()
    (-dbm.bound(means).mean() - dbm.energy(chains).mean()).backward()
    for ours, parameter in zip(found, dbm.parameters(), strict=True):
        torch.testing.assert_close(ours, parameter.grad)


def test_a_centred_step_is_one_of_the_machine_of_centred_units():
    """W, b̃ = b + W₁λ₁, ã₁ = a₁ + W₁ᵀμ + W₂λ₂ and ã₂ = a₂ + W₂ᵀλ₁ descend, and b, a₁, a₂ follow from them."""
    dbm, generator, rate = machine(), torch.Generator().manual_seed(1), 0.1
    data, chains = (
        States(
            *(torch.bernoulli(torch.full((n, size), 0.5, dtype=torch.float64), generator=generator) for size in SIZES)
        )
        for n in (5, 7)
    )
    mean, mean_1, mean_2 = ((x.mean(dim=0) + y.mean(dim=0)) / 2 for x, y in zip(data, chains, strict=True))
    lower, upper = (weight.detach().clone().requires_grad_(True) for weight in (dbm.lower, dbm.upper))
    b, a1, a2 = (bias.detach() for bias in (dbm.visible_bias, dbm.first_bias, dbm.second_bias))
    b = (b + lower.detach() @ mean_1).requires_grad_(True)
    a1 = (a1 + mean @ lower.detach() + upper.detach() @ mean_2).requires_grad_(True)
    a2 = (a2 + mean_1 @ upper.detach()).requires_grad_(True)

    def energy(states):
        v, h1, h2 = (x - offset for x, offset in zip(states, (mean, mean_1, mean_2), strict=True))
        pairs = ((v @ lower) * h1).sum(dim=1) + ((h1 @ upper) * h2).sum(dim=1)
        return (-pairs - v @ b - h1 @ a1 - h2 @ a2).mean()

    (energy(data) - energy(chains)).backward()
    with torch.no_grad():
        lower, upper, b, a1, a2 = (each - rate * each.grad for each in (lower, upper, b, a1, a2))
        expected = (lower, upper, b - lower @ mean_1, a1 - mean @ lower - upper @ mean_2, a2 - mean_1 @ upper)
    dbm.leave_gradient(data, chains, centred=True)
    own = (dbm.lower, dbm.upper, dbm.visible_bias, dbm.first_bias, dbm.second_bias)
    for parameter, wanted in zip(own, expected, strict=True):
        torch.testing.assert_close(parameter.detach() - rate * parameter.grad, wanted)


def test_layers_alone_count_one_side_twice_and_are_stacked():
    torch.manual_seed(0)
    first, second = LayerAlone(4, 3, up=2, down=1, scale=1.0), LayerAlone(3, 2, up=1, down=2, scale=1.0)
    v, h = torch.rand(5, 4), torch.rand(5, 3)
    torch.testing.assert_close(first.hidden_probability(v), (2 * v @ first.weight + first.hidden_bias).sigmoid())
    torch.testing.assert_close(second.visible_probability(h[:, :2]), (2 * h[:, :2] @ second.weight.T).sigmoid())
    dbm = DBM(*SIZES)
    stack(first, second, dbm)
    torch.testing.assert_close(
        dbm.first_probability(v, h[:, :2]), (v @ first.weight + h[:, :2] @ second.weight.T).sigmoid()
    )
