"""The Santa Fe laser's windows, folds and origins."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import TimeSeriesSplit

from lit_anndl.data.santafe import SantaFeData
from lit_anndl.runtime.errors import InputError


def prepared(**settings):
    data = SantaFeData(**settings)
    data.setup("fit")
    return data


def test_the_competitions_continuation():
    data = prepared(lag=10, folds=0)
    (problem,) = data.ahead
    mean, std = data.scale(1000)
    raw = problem.future * std + mean
    assert float(raw.var(correction=0)) == pytest.approx(3078.3, abs=0.1)  # of the published NMSE
    assert torch.allclose(problem.values[:1000].mean(), torch.zeros(()).double(), atol=1e-12)


@pytest.mark.parametrize(("lag", "folds", "size"), [(2, 4, 100), (50, 5, 50), (100, 5, 150)])
def test_folds_are_those_of_scikit_learn(lag, folds, size):
    data = prepared(lag=lag, folds=folds, validation_size=size)
    splits = TimeSeriesSplit(folds, test_size=size, gap=lag).split(np.zeros(1000 - lag))
    for problem, (before, held_out) in zip(data.held_out, splits, strict=True):
        assert problem.usable.tolist() == before.tolist()
        assert [problem.start, problem.size] == [held_out[0] + lag, len(held_out)]


@pytest.mark.parametrize("folding", ["expanding", "blocks"])
@pytest.mark.parametrize("steps_ahead", [1, 4])
def test_no_example_touches_what_its_fold_forecasts(folding, steps_ahead):
    data = prepared(lag=25, folds=5, validation_size=100, folding=folding, steps_ahead=steps_ahead)
    for problem in data.held_out:
        touched = {start + offset for start in problem.usable.tolist() for offset in range(25 + steps_ahead)}
        assert not touched & set(range(problem.start, problem.start + problem.size))
        assert max(touched) < 1000
        assert folding == "blocks" or max(touched) < problem.start


def test_examples_are_windows_and_what_follows():
    data = prepared(lag=5, folds=2, validation_size=30, steps_ahead=3)
    windows, ahead = data.train
    values = data.ahead[0].values
    assert windows.shape == (993, 3, 5) and ahead.shape == (993, 3, 3)
    assert torch.equal(windows[7, 2], values[7:12]) and torch.equal(ahead[7, 2], values[12:15])
    fewer = len(data.held_out[0].usable)
    assert torch.equal(windows[fewer + 2, 0], windows[2, 0])  # seen again


def test_origins_learn_from_nothing_later():
    data = prepared(lag=20, folds=0, origins=90)
    assert data.origins == list(range(1000, 10_000, 100))
    assert max(int(problem.usable.max()) for problem in data.ahead) + 20 < 1000
    problem, (mean, std) = data.ahead[89], data.scale(9900)
    assert torch.allclose(problem.future * std + mean, data.series[9900:10_000])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lag": 1000}, "data.lag 1000 leaves 0 windows of the 1000 values; expected 997 at most"),
        ({"lag": 2000}, "data.lag 2000 leaves 0 windows"),
        ({"folds": 5, "validation_size": 200, "lag": 100}, "at most data.validation_size 159 or data.folds 3"),
        ({"folds": 900, "validation_size": 50}, "expected at most data.folds 17"),
        ({"folds": 17, "folding": "blocks", "validation_size": 943, "lag": 25, "steps_ahead": 4}, "size 942"),
        ({"horizon": 1}, "data.horizon 1 was given, expected 2 or more"),
        ({"train_size": 10_000}, "data.train_size 10000 and data.horizon 100 make 10100 values; there are 10093"),
        ({"origins": 91}, "data.origins 91 was given, expected 90 at most"),
    ],
)
def test_refuses_what_does_not_fit(settings, message):
    with pytest.raises(InputError, match=message):
        SantaFeData(**settings)


def test_the_largest_that_is_said_to_fit_does():
    prepared(folds=5, validation_size=159, lag=100)
    prepared(folds=3, validation_size=200, lag=100)
    prepared(folds=1, validation_size=899, lag=50)
    prepared(folds=17, folding="blocks", validation_size=942, lag=25, steps_ahead=4)


def test_without_folds_long_windows_fit():
    prepared(folds=0, lag=900)
