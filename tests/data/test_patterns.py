"""Patterns to store, and how they are spoilt."""

import pytest
import torch

from lit_anndl.data.digit_patterns import Corruption, DigitPatternData, first_of_each
from lit_anndl.data.digits.idx import CLASSES
from lit_anndl.data.patterns import PatternData
from lit_anndl.data.random_patterns import RandomPatternData, flip
from lit_anndl.runtime.errors import InputError


def test_random_starts_fill_the_hypercube_and_follow_the_seed():
    made = [PatternData([[1, -1, 1]], random_starts=2000, seed=seed) for seed in (0, 0, 1)]
    for data in made:
        data.setup("fit")
    first, again, other = (data.test[0] for data in made)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == (2000, 3) and first.abs().max() <= 1
    assert torch.allclose(first.var(0), torch.full((3,), 1 / 3).double(), atol=0.02)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patterns": [[1, 1], [1, 1, 1]]}, r"data.patterns: row 2, \[1, 1, 1\], has 3 values, expected 2"),
        ({"patterns": []}, r"data.patterns: \[\] was given"),
        ({"patterns": [[1, 2]]}, "data.patterns: row 1 has the value 2, expected -1 to 1"),
        ({"patterns": [[1, 1]], "starts": [[0, 0], [0]]}, r"data.starts: row 2, \[0\], has 1 values, expected 2"),
    ],
)
def test_refuses_patterns(settings, message):
    with pytest.raises(InputError, match=message):
        PatternData(**settings)


def test_noise_is_clipped_and_occlusion_hides_from_below():
    patterns = torch.ones(2, 784)
    noisy = Corruption("noise", 3.0).apply(patterns, 5, torch.Generator().manual_seed(0))
    assert noisy.shape == (10, 784) and noisy.min() == -1 and noisy.max() == 1
    assert 0.2 < (noisy < 0).float().mean() < 0.45  # P(1 + 3 z < 0) = 0.37
    (hidden,) = Corruption("occlusion", 0.25).apply(patterns[:1], 1, torch.Generator()).reshape(1, 28, 28)
    assert (hidden[:21] == 1).all() and (hidden[21:] == -1).all()


def test_first_digit_of_each_class(digits):
    data = DigitPatternData(directory=str(digits), noise=[0.0, 1.0], occlusion=[0.5], draws=3, seed=0)
    data.setup("fit")
    (patterns,), (states, classes, spoilt) = data.train, data.test
    assert set(patterns.unique().tolist()) == {-1, 1} and patterns.shape == (CLASSES, 784)
    assert torch.bincount(spoilt).tolist() == [30, 30, 10]
    assert torch.equal(states[:30], patterns.repeat(3, 1)) and torch.equal(states[spoilt == 0], patterns[classes[:30]])


def test_refuses_a_lacking_class():
    with pytest.raises(InputError, match="no image of class 2, 3"):
        first_of_each(torch.zeros(8, 28, 28), torch.tensor([0, 1, 4, 5, 6, 7, 8, 9]))
    with pytest.raises(InputError, match="both empty"):
        DigitPatternData(noise=[], occlusion=[])


def test_flips_as_many_units_as_it_says():
    patterns = torch.ones(4, 5, 40)
    assert ((flip(patterns, 0.3, torch.Generator().manual_seed(0)) == -1).sum(-1) == 12).all()


def test_random_sets():
    data = RandomPatternData(units=20, loads=[0.5, 0.1], flipped=[0.0, 0.5], sets=3, seed=0)
    data.setup("fit")
    assert [patterns.shape for patterns in data.patterns] == [(3, 2, 20), (3, 10, 20)]
    assert torch.equal(data.starts[0][0.0], data.patterns[0])
    with pytest.raises(InputError, match=r"0\.05 of 20 units make fewer than two patterns"):
        RandomPatternData(units=20, loads=[0.05])
