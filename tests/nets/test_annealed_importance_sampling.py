import pytest
import torch

from lit_anndl.nets.annealed_importance_sampling import annealed, annealed_back, base_rates, schedule
from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.contrastive_divergence import run_chains
from lit_anndl.nets.enumerated_states import EnumeratedStates


def machine(scale: float, seed: int = 0, visible: int = 12, hidden: int = 6) -> RBM:
    torch.manual_seed(seed)
    rbm = RBM(visible, hidden, scale)
    for bias in (rbm.visible_bias, rbm.hidden_bias):
        torch.nn.init.normal_(bias)
    return rbm


@pytest.mark.parametrize("scale", [0.1, 1.0, 1.5])
def test_both_ways_agree_with_enumeration(scale):
    rbm, generator = machine(scale), torch.Generator().manual_seed(0)
    bias, betas = torch.zeros(12), schedule([(1.0, 400)])
    up = annealed(rbm, bias, betas, 400, generator)
    samples = run_chains(rbm, torch.bernoulli(torch.full((400, 12), 0.5), generator=generator), 500, generator)
    down = annealed_back(rbm, bias, betas, samples, generator)
    truth = EnumeratedStates(rbm).log_z
    assert abs(up.log_z - truth) < 3 * up.error and abs(down.log_z - truth) < 3 * down.error
    assert max(up.error, down.error) < 0.1


def test_a_hasty_schedule_brackets_the_truth():
    rbm, generator = machine(3.0), torch.Generator().manual_seed(0)
    bias, betas = torch.zeros(12), schedule([(1.0, 4)])
    up = [annealed(rbm, bias, betas, 10, generator).log_z for _ in range(40)]
    start = torch.bernoulli(torch.full((10, 12), 0.5), generator=generator)
    down = [annealed_back(rbm, bias, betas, run_chains(rbm, start, 300, generator), generator).log_z for _ in range(40)]
    assert sum(up) / 40 < EnumeratedStates(rbm).log_z < sum(down) / 40


def test_a_machine_without_weights_needs_no_annealing():
    rbm = machine(0.0)
    found = annealed(rbm, rbm.visible_bias.detach(), schedule([(1.0, 3)]), 5, torch.Generator())
    assert found.log_z == pytest.approx(EnumeratedStates(rbm).log_z, abs=1e-4) and found.error < 1e-5


def test_the_published_schedule_has_as_many_temperatures():
    betas = schedule()
    assert len(betas) == 14_501 and betas[0] == 0 and betas[-1] == 1 and bool((betas.diff() > 0).all())


def test_base_rates_are_log_odds_of_means():
    v = torch.tensor([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    torch.testing.assert_close(base_rates(v).sigmoid(), torch.tensor([0.5 / 3, 2.5 / 3, 0.5]))
