import pytest
import torch

from lit_anndl.nets.annealed_importance_sampling import (
    Base,
    annealed,
    annealed_back,
    base_from_noise,
    base_of_images,
    schedule,
)
from lit_anndl.nets.binary_units import log_odds
from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.contrastive_divergence import run_chains
from lit_anndl.nets.enumerated_states import EnumeratedStates


def machine(scale: float, seed: int = 0, visible: int = 12, hidden: int = 6) -> RBM:
    torch.manual_seed(seed)
    rbm = RBM(visible, hidden, scale)
    for bias in (rbm.visible_bias, rbm.hidden_bias):
        torch.nn.init.normal_(bias)
    return rbm


def even(rbm: RBM) -> Base:
    return Base(*(torch.zeros_like(bias) for bias in (rbm.visible_bias, rbm.hidden_bias)))


@pytest.mark.parametrize("scale", [0.1, 1.0, 1.5])
@pytest.mark.parametrize("tilt", [0.0, 0.5])
def test_both_ways_agree_with_enumeration_from_any_base(scale, tilt):
    rbm, generator = machine(scale), torch.Generator().manual_seed(0)
    base, betas = Base(torch.full((12,), tilt), torch.full((6,), -tilt)), schedule([(1.0, 400)])
    up = annealed(rbm, base, betas, 400, generator)
    samples = run_chains(rbm, torch.bernoulli(torch.full((400, 12), 0.5), generator=generator), 500, generator)
    down = annealed_back(rbm, base, betas, samples, generator)
    truth = EnumeratedStates(rbm).log_z
    assert abs(up.log_z - truth) < 3 * up.error and abs(down.log_z - truth) < 3 * down.error
    assert max(up.error, down.error) < 0.1


def test_a_hasty_schedule_brackets_the_truth():
    rbm, generator = machine(3.0), torch.Generator().manual_seed(0)
    base, betas = even(rbm), schedule([(1.0, 4)])
    up = [annealed(rbm, base, betas, 10, generator).log_z for _ in range(40)]
    start = torch.bernoulli(torch.full((10, 12), 0.5), generator=generator)
    down = [annealed_back(rbm, base, betas, run_chains(rbm, start, 300, generator), generator).log_z for _ in range(40)]
    assert sum(up) / 40 < EnumeratedStates(rbm).log_z < sum(down) / 40


def test_a_machine_without_weights_needs_no_annealing():
    rbm = machine(0.0)
    found = annealed(rbm, Base(rbm.visible_bias, rbm.hidden_bias), schedule([(1.0, 3)]), 5, torch.Generator())
    assert found.log_z == pytest.approx(EnumeratedStates(rbm).log_z, abs=1e-4) and found.error < 1e-5


def test_the_published_schedule_has_as_many_temperatures():
    betas = schedule()
    assert len(betas) == 14_501 and betas[0] == 0 and betas[-1] == 1 and bool((betas.diff() > 0).all())


def test_the_published_base_has_the_log_odds_of_pixels_and_hidden_units_that_are_on_or_off_alike():
    v = torch.tensor([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    torch.testing.assert_close(log_odds(v).sigmoid(), torch.tensor([0.5 / 3, 2.5 / 3, 0.5]))
    base = base_of_images(RBM(3, 2), v)
    assert base.visible_bias.equal(log_odds(v)) and base.hidden_bias.tolist() == [0, 0]


def test_the_base_where_noise_ends_has_the_rates_of_the_machine():
    rbm, states = machine(0.5), EnumeratedStates(machine(0.5))
    v = states.sample(100_000, torch.Generator().manual_seed(1))
    base = base_from_noise(rbm, 100, 1000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(base.visible_bias.sigmoid(), v.mean(dim=0), atol=0.01, rtol=0)
    torch.testing.assert_close(base.hidden_bias.sigmoid(), rbm.hidden_probability(v).mean(dim=0), atol=0.01, rtol=0)


def test_a_base_has_no_unit_that_is_never_on():
    rbm = machine(0.0)
    with torch.no_grad():
        rbm.visible_bias.fill_(-30)
    assert base_from_noise(rbm, 1, 10, torch.Generator()).visible_bias.sigmoid().tolist() == pytest.approx([1e-4] * 12)
