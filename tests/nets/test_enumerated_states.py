import pytest
import torch

from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.enumerated_states import EnumeratedStates


def machine(visible: int, hidden: int = 6) -> RBM:
    torch.manual_seed(0)
    rbm = RBM(visible, hidden, 1.5)
    for bias in (rbm.visible_bias, rbm.hidden_bias):
        torch.nn.init.normal_(bias)
    return rbm


def test_enumeration_sums_over_the_pixels_too():
    rbm = machine(12)
    v = (torch.arange(2**12).unsqueeze(1) >> torch.arange(12) & 1).double()
    log_z = (-rbm.double().free_energy(v)).logsumexp(dim=0).detach()
    assert EnumeratedStates(rbm).log_z == pytest.approx(float(log_z), abs=1e-9)


def test_exact_samples_are_as_frequent_as_the_machine_says():
    rbm, generator = machine(3), torch.Generator().manual_seed(0)
    v = (torch.arange(2**3).unsqueeze(1) >> torch.arange(3) & 1).float()
    expected = (-rbm.free_energy(v)).softmax(dim=0).detach()
    samples = EnumeratedStates(rbm).sample(20_000, generator)
    found = torch.bincount((samples @ torch.tensor([1.0, 2.0, 4.0])).long(), minlength=8) / 20_000
    torch.testing.assert_close(found, expected, rtol=0, atol=5 * 0.5 / 20_000**0.5)


def test_too_many_hidden_units_are_refused():
    with pytest.raises(ValueError, match="21 hidden units were given, expected 20 at most"):
        EnumeratedStates(RBM(3, 21))
