"""Self-attention: laws, and a counter-example."""

import numpy as np
import pytest
import torch

from lit_anndl.nets.self_attention import SelfAttention, attention, softmax, softmax_of_swapped_clip


@pytest.fixture
def scores():
    return np.random.default_rng(0).normal(0, 3, (2, 5, 7))


def test_rows_of_softmax_are_distributions_and_no_number_overflows(scores):
    for shift in (0.0, 1e4, -1e4):
        rows = softmax(scores + shift)
        np.testing.assert_allclose(rows.sum(axis=-1), 1)
        np.testing.assert_allclose(rows, softmax(scores), rtol=1e-9)


def test_a_clip_whose_bounds_are_swapped_makes_all_weights_equal(scores):
    np.testing.assert_array_equal(softmax_of_swapped_clip(scores), np.full(scores.shape, 1 / 7))
    assert np.ptp(softmax(scores), axis=-1).min() > 0.1


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("causal", [False, True])
def test_written_out_is_torchs_kernel(heads, causal):
    torch.manual_seed(0)
    net, x = SelfAttention(8, heads).double(), torch.randn(3, 6, 8, dtype=torch.float64)
    mask = torch.ones(6, 6, dtype=torch.bool).tril() if causal else None
    with torch.no_grad():
        torch.testing.assert_close(net(x, mask), net.fused(x, mask), rtol=0, atol=1e-14)
        weights = net.weights(*net.project(x)[:2], mask)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, heads, 6, dtype=torch.float64))
    assert not causal or bool((weights.triu(1) == 0).all())


def test_masked_tokens_do_not_matter():
    generator = np.random.default_rng(0)
    queries, keys, values = (generator.normal(size=(4, 3)) for _ in range(3))
    mask = np.ones((4, 4), dtype=bool)
    mask[:, 2] = False
    attended = attention(queries, keys, values, mask)
    keys[2], values[2] = 100, -100
    np.testing.assert_array_equal(attention(queries, keys, values, mask), attended)


def test_tokens_in_another_order_give_outputs_in_that_order():
    torch.manual_seed(0)
    net, x, order = SelfAttention(8, 2).double(), torch.randn(1, 6, 8, dtype=torch.float64), torch.randperm(6)
    torch.testing.assert_close(net(x[:, order]), net(x)[:, order])


def test_heads_that_do_not_divide_the_units():
    with pytest.raises(ValueError, match="dim 8 cannot be divided by 3 heads"):
        SelfAttention(8, 3)
