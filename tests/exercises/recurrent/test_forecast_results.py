"""What the exercises on the Santa Fe laser share."""

import numpy as np
import pytest
import torch
from reservoirpy.nodes import Reservoir
from sklearn.linear_model import Ridge

from lit_anndl.data.santafe import ForecastTask
from lit_anndl.exercises.recurrent.baselines import EchoState, Mean, Regression
from lit_anndl.exercises.recurrent.forecast_results import Forecasts, fold_metrics

TIMES = torch.arange(400).double()
WAVE = torch.sin(0.3 * TIMES)
"""x(t+1) = 2 cos(0.3) x(t) - x(t-1): two past values tell the next."""


def task():
    return ForecastTask(WAVE, start=300, size=100, usable=torch.arange(290))


@pytest.mark.parametrize(
    ("baseline", "tolerance"),
    [
        (Regression(Ridge(alpha=1e-12), 2), 1e-4),
        (EchoState(Reservoir(100, sr=0.5, lr=1.0, input_scaling=0.1, seed=0), 1e-10), 1e-2),
    ],
)
def test_a_wave_goes_on(baseline, tolerance):
    baseline.fit(task())
    past, future = WAVE[:300].numpy(), WAVE[300:].numpy()
    assert np.abs(baseline.closed_loop(past, 100) - future).max() < tolerance
    assert np.abs(baseline.teacher_forced(past, future) - future).max() < tolerance
    again = baseline.closed_loop(past, 100)  # it has reset its state
    assert np.array_equal(again, baseline.closed_loop(past, 100))


def test_the_mean_learns_from_the_past_alone():
    baseline = Mean()
    baseline.fit(ForecastTask(torch.cat([torch.ones(10), torch.zeros(10)]).double(), 10, 10, torch.arange(5)))
    assert baseline.closed_loop(np.ones(3), 4).tolist() == [1, 1, 1, 1]


def test_closed_loops_stay_bounded():
    baseline = Regression(Ridge(alpha=1e-12), 1)
    baseline.fit(ForecastTask(2.0 ** torch.arange(10).double(), 10, 0, torch.arange(9)))
    assert baseline.closed_loop(np.array([1.0]), 6).max() == 6


def test_errors_of_forecasts():
    truth = np.array([[0.0, 2, 4], [1, 1, 7]])
    members = np.stack([truth - 1, truth + 3], axis=1)  # their mean is one too high
    found = Forecasts([1000, 1100], truth, members)
    assert found.mse.tolist() == [1, 1]
    assert found.nmse == pytest.approx([1 / truth[0].var(), 1 / truth[1].var()])
    assert found.metrics()["nmse_mean"] == pytest.approx(np.mean(found.nmse))


def test_errors_of_folds():
    future = torch.tensor([[1.0, 3], [0, 8]])
    found = fold_metrics(future + 0.1, future + torch.tensor([[1.0], [2]]), future)
    assert found["mse_2"] == pytest.approx(0.01, rel=1e-4)
    assert [found[f"nmse_{k}"].item() for k in (1, 2)] == pytest.approx([1, 0.25])
    assert found["log_nmse"] == pytest.approx(np.log10(0.25) / 2)
