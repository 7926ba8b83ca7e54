from itertools import product

import pytest
import torch
from sklearn.neural_network import BernoulliRBM
from sklearn.utils import check_random_state

from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.contrastive_divergence import (
    Statistics,
    leave_gradient,
    restart_chains,
    run_chains,
    run_from_hidden,
)
from lit_anndl.nets.pseudo_likelihood import exact, one_bit


def machine(visible: int = 6, hidden: int = 4, seed: int = 0) -> RBM:
    torch.manual_seed(seed)
    rbm = RBM(visible, hidden, scale=1.0).double()
    for bias in (rbm.visible_bias, rbm.hidden_bias):
        torch.nn.init.normal_(bias)
    return rbm


def all_states(units: int) -> torch.Tensor:
    return torch.tensor(list(product([0.0, 1.0], repeat=units)), dtype=torch.float64)


def probabilities(rbm: RBM, v: torch.Tensor) -> torch.Tensor:
    return (-rbm.free_energy(v)).softmax(dim=0)


def test_free_energy_sums_over_the_hidden_units():
    rbm, v = machine(), all_states(6)
    energies = torch.stack([rbm.energy(v, h.expand(len(v), -1)) for h in all_states(4)])
    torch.testing.assert_close(rbm.free_energy(v), -(-energies).logsumexp(dim=0))


def test_conditionals_are_those_of_the_joint_distribution():
    rbm, h = machine(), all_states(4)
    v = torch.tensor([[1.0, 0, 1, 1, 0, 0]], dtype=torch.float64)
    joint = (-rbm.energy(v.expand(len(h), -1), h)).softmax(dim=0)
    torch.testing.assert_close(rbm.hidden_probability(v)[0], joint @ h)
    joint = (-rbm.energy(all_states(6), h[5].expand(64, -1))).softmax(dim=0)
    torch.testing.assert_close(rbm.visible_probability(h[5:6])[0], joint @ all_states(6))


def test_chains_reach_the_distribution():
    rbm = machine()
    v = run_chains(rbm, torch.zeros(40_000, 6, dtype=torch.float64), 30, torch.Generator().manual_seed(0))
    numbers = (v @ torch.tensor([32.0, 16, 8, 4, 2, 1], dtype=torch.float64)).long()
    found = torch.bincount(numbers, minlength=64) / len(v)
    assert float((found - probabilities(rbm, all_states(6)).detach()).abs().max()) < 4 * (0.25 / len(v)) ** 0.5


def test_chains_from_hidden_states_reach_it_too():
    rbm = machine()
    start, generator = torch.zeros(40_000, 4, dtype=torch.float64), torch.Generator().manual_seed(0)
    states, mean = run_from_hidden(rbm, start, 30, generator)
    expected = probabilities(rbm, all_states(6)).detach() @ all_states(6)
    torch.testing.assert_close(states.mean(dim=0), expected, rtol=0, atol=0.01)
    torch.testing.assert_close(mean, rbm.hidden_probability(states))


def test_pseudo_likelihood_is_that_of_each_pixel_given_the_others():
    rbm, v = machine(), all_states(6)
    p, total = probabilities(rbm, v), torch.zeros(64, dtype=torch.float64)
    for pixel in range(6):
        flipped = v.clone()
        flipped[:, pixel] = 1 - flipped[:, pixel]
        other = probabilities(rbm, torch.cat([v, flipped]))[64:] * 2
        total += (p / (p + other)).log()
    torch.testing.assert_close(exact(rbm, v), total)
    each = [one_bit(rbm, v, torch.full((64,), pixel)) for pixel in range(6)]
    torch.testing.assert_close(sum(each) / 6, total)


@pytest.mark.parametrize("weight", [0.0, 11.0, 30.0, 80.0])
def test_large_weights_do_not_overflow(weight):
    """A flip multiplies sixteen factors of e^weight / 2: in single precision e^89 is infinite."""
    rbm = RBM(2, 16)
    with torch.no_grad():
        rbm.weight.copy_(torch.tensor([[weight], [0.0]]).expand(2, 16))
    single, double = exact(rbm, torch.zeros(1, 2)), exact(rbm.double(), torch.zeros(1, 2).double())
    assert double.isfinite().all()
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-4)


def test_at_least_one_step_is_taken():
    with pytest.raises(ValueError, match="steps: 0 was given, expected 1 or more"):
        run_from_hidden(machine(), torch.zeros(1, 4), 0)


@pytest.mark.parametrize("pixels_at_once", [1, 5, 100])
def test_grey_pixels_and_pieces_change_nothing(pixels_at_once):
    rbm = machine()
    grey = torch.rand(7, 6, dtype=torch.float64)
    each = [one_bit(rbm, grey, torch.full((7,), pixel)) for pixel in range(6)]
    torch.testing.assert_close(exact(rbm, grey, pixels_at_once), sum(each) / 6)


def test_one_bit_is_what_scikit_learn_computes_for_the_same_flips():
    rbm, v = machine(), torch.bernoulli(torch.full((50, 6), 0.5, dtype=torch.float64))
    theirs = BernoulliRBM(4, random_state=3).fit(v.numpy())
    theirs.components_ = rbm.weight.detach().T.numpy()
    theirs.intercept_visible_, theirs.intercept_hidden_ = (
        bias.detach().numpy() for bias in (rbm.visible_bias, rbm.hidden_bias)
    )
    theirs.random_state = 3
    pixels = torch.from_numpy(check_random_state(3).randint(0, 6, 50))
    torch.testing.assert_close(one_bit(rbm, v, pixels), torch.from_numpy(theirs.score_samples(v.numpy())))


@pytest.mark.parametrize("centred", [False, True])
def test_gradient_is_that_of_the_difference_of_free_energies(centred):
    rbm, generator = machine(), torch.Generator().manual_seed(1)
    data, chains = (
        torch.bernoulli(torch.full((size, 6), 0.4, dtype=torch.float64), generator=generator) for size in (5, 8)
    )
    leave_gradient(rbm, *(Statistics(v, rbm.hidden_probability(v)) for v in (data, chains)), centred=centred)
    found = [parameter.grad for parameter in rbm.parameters()]
    rbm.zero_grad()
    (rbm.free_energy(data).mean() - rbm.free_energy(chains).mean()).backward()
    weight, visible, hidden = (parameter.grad for parameter in rbm.parameters())
    if centred:  # that gradient, seen in the coordinates in which the offsets are subtracted, and carried back
        means = [(data.mean(0) + chains.mean(0)) / 2]
        means.append(sum(rbm.hidden_probability(v).mean(0) for v in (data, chains)).detach() / 2)
        weight = weight - torch.outer(means[0], hidden) - torch.outer(visible, means[1])
        visible, hidden = visible - weight @ means[1], hidden - means[0] @ weight
    for ours, theirs in zip(found, (weight, visible, hidden), strict=True):
        torch.testing.assert_close(ours, theirs.detach())


def test_the_exact_gradient_vanishes_where_data_are_the_machines_own():
    rbm, v = machine(), all_states(6)
    counts = (probabilities(rbm, v) * 200_000).round().long().detach()
    own = v.repeat_interleave(counts, dim=0)
    chains = run_chains(rbm, own, 1, torch.Generator().manual_seed(0))
    leave_gradient(rbm, *(Statistics(x, rbm.hidden_probability(x).detach()) for x in (own, chains)))
    assert all(float(parameter.grad.abs().max()) < 0.006 for parameter in rbm.parameters())


def test_centred_steps_do_not_mind_what_is_called_zero():
    """A machine of flipped pixels, W → -W, b → -b, a → a + Wᵀ1, learns the flipped images as the first the images."""
    rbm, flipped = machine(), machine()
    with torch.no_grad():
        flipped.hidden_bias += flipped.weight.sum(dim=0)
        flipped.weight.neg_()
        flipped.visible_bias.neg_()
    generator = torch.Generator().manual_seed(1)
    data, chains = (torch.bernoulli(torch.full((5, 6), 0.2, dtype=torch.float64), generator=generator) for _ in "ab")
    probe = all_states(6)
    torch.testing.assert_close(probabilities(rbm, probe), probabilities(flipped, 1 - probe))
    for each, images in ((rbm, (data, chains)), (flipped, (1 - data, 1 - chains))):
        leave_gradient(each, *(Statistics(v, each.hidden_probability(v).detach()) for v in images), centred=True)
        torch.optim.SGD(each.parameters(), 0.5).step()
    torch.testing.assert_close(probabilities(rbm, probe), probabilities(flipped, 1 - probe))


def test_chains_restart_with_a_probability():
    states = torch.full((10_000, 8), 7.0)
    states_now = restart_chains(states, 0.25, torch.Generator().manual_seed(0))
    restarted = (states_now != states).all(dim=1)
    assert restarted.double().mean() == pytest.approx(0.25, abs=3 * (0.25 * 0.75 / 10_000) ** 0.5)
    assert states_now[~restarted].equal(states[~restarted])
    assert states_now[restarted].unique().tolist() == [0, 1] and states_now[restarted].mean() == pytest.approx(
        0.5, abs=0.02
    )


def test_chains_that_only_go_on_draw_nothing():
    states, generator = torch.ones(3, 2), torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert restart_chains(states, 0.0, generator) is states and generator.get_state().equal(before)
