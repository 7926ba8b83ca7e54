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
    rbm = RBM(PIXELS, 6)  # all units on, and all pixels; or two units, and any pixels: e⁴ times as likely in all
    with torch.no_grad():
        rbm.weight.fill_(3)[:, 4:] = 0
        rbm.visible_bias.zero_()
        rbm.hidden_bias.fill_(-86)[4:] = 5
    likelihood = Likelihood(100, 1000, enumerate_states=False)
    found = likelihood.measure(rbm, torch.ones(100, PIXELS), 0.0, torch.Generator().manual_seed(0))
    truth = -EnumeratedStates(rbm).log_z
    assert truth < -found["test/log_partition_function_reverse"] - 3  # chains from images flatter
    assert found["test/log_likelihood"] == -found["test/log_partition_function_from_noise"]
    for name in ("test/log_likelihood", "test/log_likelihood_upper"):
        assert found[name] == pytest.approx(truth, abs=0.05)
    assert found["test/log_likelihood_error"] < 0.01
    assert "test/log_likelihood_lower" not in found
    assert "left out: chains that go up from where noise ends find log Z 30.8, chains that come down" in caplog.text


def test_a_likelihood_does_not_leave_out_the_quiet_states_that_no_chain_finds(caplog):
    rbm = RBM(100, 10)  # all units on, all pixels too; or none: e⁸⁷ times as likely
    with torch.no_grad():
        rbm.weight.fill_(1)
        rbm.visible_bias.fill_(-8)
        rbm.hidden_bias.fill_(-30)
    samples = torch.bernoulli(torch.full((200, 100), 0.88), generator=torch.Generator().manual_seed(1))
    found = Likelihood(100, 1000, enumerate_states=False).measure(rbm, samples, 0.0, torch.Generator().manual_seed(0))
    truth = -EnumeratedStates(rbm).log_z
    for way in ("from_images", "from_noise", "reverse"):  # all of which flatter
        assert truth < -found[f"test/log_partition_function_{way}"] - 80
    for name in ("test/log_likelihood", "test/log_likelihood_upper"):
        assert found[name] == -found["test/log_partition_function_least"] == pytest.approx(truth, abs=0.02)
    assert not {"test/log_likelihood_lower", "test/log_likelihood_error"} & found.keys()
    assert "left out: states with one active unit at most have log Z 0.0, chains that come down" in caplog.text


def test_exact_samples_bracket_the_truth(two_modes):
    found = measured(two_modes, enumerate_states=True)
    assert found["test/log_likelihood_exact"] == -EnumeratedStates(two_modes).log_z
    assert found["test/log_likelihood_lower"] < -EnumeratedStates(two_modes).log_z < found["test/log_likelihood_upper"]


NOTHING = 0.0
"""What quiet states have, if that is less than chains find."""


def told(images: Estimate, noise: Estimate, down: Estimate, quiet: float = NOTHING) -> dict[str, float]:
    return Likelihood(10, 3)._metrics(0.0, images, noise, down, quiet)


def test_the_upper_end_of_an_estimate_that_one_chain_decides_is_as_high_as_chance_allows():
    found = told(Estimate(50.0, 0.9), Estimate(50.0, 0.9), Estimate(50.0, 0.1))
    assert found["test/log_likelihood_upper"] == pytest.approx(-50 + 6.607, abs=1e-3)


def test_what_is_told_is_what_is_known_for_certain_and_the_lower_end_trusts_no_estimate():
    found = told(Estimate(55.0, 0.9), Estimate(50.0, 0.1), Estimate(50.0, 0.1))
    assert (found["test/log_likelihood"], found["test/log_likelihood_error"]) == (-50.0, 0.1)
    assert found["test/log_partition_function"] == found["test/log_partition_function_from_noise"] == 50
    assert found["test/log_partition_function_from_images"] == 55
    assert found["test/log_likelihood_lower"] == -55


def test_the_lower_end_is_never_above_the_estimate():
    found = told(Estimate(50.0, 0.2), Estimate(49.9, 0.3), Estimate(49.3, 0.1))
    assert found["test/log_likelihood_lower"] == found["test/log_likelihood"] == -50
