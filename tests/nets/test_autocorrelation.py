import pytest
import torch

from lit_anndl.nets.autocorrelation import autocorrelation_time


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_it_is_that_of_an_autoregressive_process(memory):
    """x' = φ x + noise has ρ(t) = φᵗ and τ = (1 + φ) / (1 - φ)."""
    generator, x = torch.Generator().manual_seed(0), torch.zeros(200)
    states = []
    for _ in range(2200):
        x = memory * x + torch.randn(200, generator=generator) * (1 - memory**2) ** 0.5
        states.append(x)
    found = autocorrelation_time(torch.stack(states[200:]))
    assert found == pytest.approx((1 + memory) / (1 - memory), rel=0.1)


def test_chains_that_stand_still_have_no_independent_sample():
    assert autocorrelation_time(torch.ones(50, 3)) == 50
    apart = torch.arange(4.0).expand(100, -1)  # each stands still somewhere else
    assert autocorrelation_time(apart) > 50
