import pytest
import torch

from lit_anndl.exercises.generative.likelihood import Likelihood
from lit_anndl.nets.annealed_importance_sampling import Estimate
from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.enumerated_states import EnumeratedStates

PIXELS = 30


@pytest.fixture
def two_modes() -> RBM:
    """All pixels on, or, e²⁰ times less likely, all off; no chain finds the way from one to the other."""
    rbm = RBM(PIXELS, 2)  # both units on, or none
    with torch.no_grad():
        rbm.weight.fill_(6)
        rbm.visible_bias.fill_(-6)
        rbm.hidden_bias.fill_(-80)
    return rbm


def measured(rbm: RBM, enumerate_states: bool) -> dict[str, float]:
    """Chains that go up begin near the samples' mean, those that come down at the first hundred: all pixels off."""
    samples = torch.cat([torch.zeros(100, PIXELS), torch.ones(100, PIXELS)])
    likelihood = Likelihood(100, 1000, enumerate_states)
    return likelihood.measure(rbm, samples, 0.0, torch.Generator().manual_seed(0))


def test_there_is_no_lower_end_where_chains_come_down_from_other_samples_than_the_machines(two_modes, caplog):
    found = measured(two_modes, enumerate_states=False)
    assert found["test/log_partition_function_reverse"] < found["test/log_partition_function"] - 10
    assert "test/log_likelihood_lower" not in found
    assert "test/log_likelihood_lower is left out: chains that go up from where noise ends find log Z 20" in caplog.text
    assert -EnumeratedStates(two_modes).log_z < found["test/log_likelihood_upper"]


def test_a_likelihood_does_not_leave_out_what_only_noise_finds(caplog):
    rbm = RBM(PIXELS, 4)  # all units on, all pixels too; or none, and any pixels: e⁴ times as likely in all
    with torch.no_grad():
        rbm.weight.fill_(3)
        rbm.visible_bias.zero_()
        rbm.hidden_bias.fill_(-86)
    likelihood = Likelihood(100, 1000, enumerate_states=False)
    found = likelihood.measure(rbm, torch.ones(100, PIXELS), 0.0, torch.Generator().manual_seed(0))
    truth = -EnumeratedStates(rbm).log_z
    assert truth < -found["test/log_partition_function_reverse"] - 3  # chains from images flatter
    assert found["test/log_likelihood"] == -found["test/log_partition_function_from_noise"]
    for name in ("test/log_likelihood", "test/log_likelihood_upper"):
        assert found[name] == pytest.approx(truth, abs=0.05)
    assert found["test/log_likelihood_error"] < 0.01
    assert "test/log_likelihood_lower" not in found
    assert "left out: chains that go up from where noise ends find log Z 20.8, those that come down less, 16" in caplog.text


def test_exact_samples_bracket_the_truth(two_modes):
    found = measured(two_modes, enumerate_states=True)
    assert found["test/log_likelihood_exact"] == -EnumeratedStates(two_modes).log_z
    assert found["test/log_likelihood_lower"] < -EnumeratedStates(two_modes).log_z < found["test/log_likelihood_upper"]


def test_an_estimate_by_one_chain_of_ten_is_too_high_by_what_chance_allows_at_most():
    found = Likelihood(10, 3)._metrics(0.0, Estimate(50.0, 0.9), Estimate(50.0, 0.9), Estimate(50.0, 0.1))
    assert found["test/log_likelihood_upper"] == pytest.approx(-50 + 6.607, abs=1e-3)


def test_what_is_told_is_what_is_known_for_certain():
    found = Likelihood(10, 3)._metrics(0.0, Estimate(55.0, 0.9), Estimate(50.0, 0.1), Estimate(50.0, 0.1))
    assert (found["test/log_likelihood"], found["test/log_likelihood_error"]) == (-50.0, 0.1)
    assert found["test/log_partition_function"] == found["test/log_partition_function_from_noise"] == 50
    assert found["test/log_partition_function_from_images"] == 55


def test_the_lower_end_is_never_above_the_estimate():
    found = Likelihood(10, 3)._metrics(0.0, Estimate(50.0, 0.2), Estimate(49.9, 0.3), Estimate(49.3, 0.1))
    assert found["test/log_likelihood_lower"] == found["test/log_likelihood"] == -50
