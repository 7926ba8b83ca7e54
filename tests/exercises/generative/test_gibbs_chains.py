import pytest
import torch

from lit_anndl.exercises.generative import gibbs_chains
from lit_anndl.exercises.generative.gibbs_chains import Chains
from lit_anndl.nets.autocorrelation import autocorrelation_time
from lit_anndl.nets.digit_classifier import digit_classifier

STEPS = 200


def summary(energies: torch.Tensor) -> dict[str, float]:
    noise = torch.rand(20, 784, generator=torch.Generator().manual_seed(1))
    chains = Chains({5: noise}, noise)
    return gibbs_chains.summary(digit_classifier()[0], chains, chains, energies)


def test_the_autocorrelation_time_is_told_where_the_steps_suffice():
    energies = torch.randn(STEPS, 50, generator=torch.Generator().manual_seed(0))
    found = summary(energies)
    assert found["samples/autocorrelation_time"] == autocorrelation_time(energies) == pytest.approx(1, abs=0.2)
    assert "samples/autocorrelation_time_at_least" not in found


def test_it_has_a_lower_bound_where_they_do_not():
    found = summary(torch.arange(50.0).expand(STEPS, -1))  # each chain stands still
    assert found["samples/autocorrelation_time_at_least"] == STEPS / 5
    assert "samples/autocorrelation_time" not in found
