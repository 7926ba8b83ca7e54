import math

import pytest
import torch
from sklearn.metrics import mutual_info_score

from lit_anndl.nets.mutual_information_gap import entropy, in_bins, mutual_information, mutual_information_gap

DRAWS = torch.Generator().manual_seed(0)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=DRAWS)


def test_the_information_is_that_of_scikit_learn():
    z, factor = in_bins(normal(500, 7)), torch.randint(4, (500,), generator=DRAWS)
    found = mutual_information(z, factor)
    assert found.tolist() == pytest.approx([mutual_info_score(each, factor) for each in z.T])


def test_bins_are_equally_filled_and_one_value_is_one_bin():
    binned = in_bins(torch.cat([normal(1000, 3), torch.full((1000, 1), 3.0)], dim=1))
    assert [torch.bincount(each).tolist() for each in binned.T[:3]] == [[100] * 10] * 3
    assert binned[:, 3].unique().tolist() == [0]
    assert entropy(binned[:, 0]) == pytest.approx(math.log(10)) and entropy(binned[:, 3]) == 0


def test_a_factor_on_one_axis_has_a_gap_that_turning_the_axes_closes():
    z = normal(5000, 5)
    factor = in_bins(z[:, :1])[:, 0]
    turned = z.clone()
    turned[:, 0], turned[:, 1] = (z[:, 0] + z[:, 1]) / math.sqrt(2), (z[:, 0] - z[:, 1]) / math.sqrt(2)
    assert mutual_information_gap(in_bins(z), factor) > 0.95
    assert mutual_information_gap(in_bins(turned), factor) < 0.02


def test_of_what_latents_do_not_know_there_is_no_gap():
    z = in_bins(normal(5000, 50))
    assert mutual_information_gap(z, torch.randint(10, (5000,), generator=DRAWS)) < 0.01
    assert mutual_information_gap(z, torch.zeros(5000, dtype=torch.long)) == 0
