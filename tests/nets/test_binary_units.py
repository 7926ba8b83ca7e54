import pytest
import torch

from lit_anndl.nets.binary_units import draw


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32, torch.float64])
def test_states_are_zeros_and_ones_as_often_as_they_should_be(kind):
    p = torch.tensor([0.0, 0.125, 0.5, 0.9375, 1.0], dtype=kind)
    states = draw(p.expand(40_000, -1), torch.Generator().manual_seed(0))
    assert states.dtype == kind and set(states.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(states.double().mean(dim=0), p.double(), rtol=0, atol=0.01)
    assert not bool(states[:, 0].any()) and bool(states[:, -1].all())


def test_they_are_a_function_of_the_generator():
    p = torch.full((50,), 0.5)
    one, same, other = (draw(p, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_they_are_those_of_torch():
    p = torch.rand(30, 70, generator=torch.Generator().manual_seed(2))
    ours, theirs = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    for _ in range(2):
        assert torch.equal(draw(p, ours), torch.bernoulli(p, generator=theirs))
