"""Dropout: its law for any probability, and that its draws come from torch's own generator alone."""

import copy

import pytest
import torch
from torch import nn

from lit_anndl.nets.dropout import MANY, Dropout, scaled_mask

PROBABILITIES = [0.5, 0.25, 0.3, 1 / 3, 0.001, 0.999, 253 / 256]


@pytest.mark.parametrize("p", PROBABILITIES)
def test_so_many_are_zeroed_and_the_others_scaled(p: float) -> None:
    torch.manual_seed(0)
    dropped = Dropout(p)(torch.ones(1000, 1000))
    share, error = (dropped == 0).double().mean().item(), (p * (1 - p) / 1e6) ** 0.5
    assert abs(share - p) < 4 * error
    assert dropped.unique().tolist() == [0, pytest.approx(1 / (1 - p), rel=1e-6)]


@pytest.mark.parametrize("p", [0.5, 0.25, 0.3])
def test_units_are_zeroed_independently(p: float) -> None:
    """Neighbours near and far, such as share a byte or a word, and the places in a word."""
    torch.manual_seed(0)
    n = 1 << 20
    zeroed = (scaled_mask(torch.ones(n), p) == 0).double() - p
    error = p * (1 - p) / n**0.5
    for distance in (1, 2, 3, 7, 8, 9, 15, 16, 32, 63, 64, 65, 128, 512, 4096):
        assert abs((zeroed[:-distance] * zeroed[distance:]).mean().item()) < 4.5 * error, distance
    places = zeroed.view(-1, 64).mean(dim=0)
    assert places.abs().max().item() < 4.5 * (p * (1 - p) * 64 / n) ** 0.5


@pytest.mark.parametrize("p", [1e-12, 1 - 1e-12])
def test_probabilities_next_to_none_and_all(p: float) -> None:
    mask = scaled_mask(torch.ones(MANY), p)
    assert mask.isfinite().all() and mask.min() == mask.max() == (p < 0.5)


@pytest.mark.parametrize("size", [3, MANY])
def test_nothing_and_everything_is_zeroed(size: int) -> None:
    x = torch.rand(size)
    assert torch.equal(Dropout(0.0)(x), x)
    assert not Dropout(1.0)(x).any()
    for p in (0.0, 0.5, 1.0):
        assert Dropout(p).eval()(x) is x


@pytest.mark.parametrize("p", [0.5, 0.25, 0.3])
def test_the_gradient_is_that_of_what_is_kept(p: float) -> None:
    torch.manual_seed(0)
    x = (1 + torch.rand(2, MANY)).requires_grad_()
    y = Dropout(p)(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, (y / x).detach())


@pytest.mark.parametrize("p", [0.5, 0.25, 0.3])
def test_draws_are_a_function_of_torchs_generator(p: float) -> None:
    torch.manual_seed(3)
    layer, x = Dropout(p), torch.ones(3, MANY)
    first, state = layer(x), torch.get_rng_state()
    second = layer(x)
    torch.set_rng_state(state)
    assert torch.equal(layer(x), second) and not torch.equal(first, second)
    torch.manual_seed(3)
    assert torch.equal(copy.deepcopy(layer)(x), first)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_type_and_memory_format_stay(dtype: torch.dtype) -> None:
    x = torch.ones(3, 16, 9, 11, dtype=dtype).to(memory_format=torch.channels_last)
    for shaped in (x, x.contiguous(), x[:, ::2], x[:, :1].expand(-1, 16, -1, -1)):
        y = Dropout()(shaped)
        assert y.dtype == dtype and y.shape == shaped.shape and y.stride() == torch.empty_like(shaped).stride()


def test_a_wrong_probability_is_refused() -> None:
    for p in (-0.1, 1.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            Dropout(p)
    with pytest.raises(ValueError, match="expected False"):
        Dropout(inplace=True)


def test_its_words_are_torchs() -> None:
    assert repr(Dropout(0.25)) == repr(nn.Dropout(0.25))
