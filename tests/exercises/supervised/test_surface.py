"""The exercise surface, through the command."""

import math

import pytest
import torch

from lit_anndl.data.surface import SurfaceData

QUICK = ["surface", "--data.grid_size", "20", "--data.batch_size", "100", "--trainer.max_epochs", "5"]


def test_signal_to_noise_before_and_after(command):
    metrics = command.run(*QUICK, "--data.noise", "0.3").data.metrics
    data = SurfaceData(noise=0.3, grid_size=20, seed=0)
    data.setup("fit")
    (_, noisy), (_, clean) = data.train, data.test
    residual = (noisy - clean).square().mean().item()
    assert metrics["noise/power"] == pytest.approx(residual, rel=1e-5)
    assert metrics["noise/snr"] == pytest.approx(10 * math.log10(clean.square().mean().item() / residual), rel=1e-5)
    after = 10 * math.log10(noisy.square().mean().item() / metrics["final/mse"])
    assert metrics["final/snr"] == pytest.approx(after, rel=1e-5)


def test_without_noise_there_is_no_ratio_of_signal_to_noise(command):
    metrics = command.run(*QUICK, "--data.noise", "0").data.metrics
    assert metrics["noise/power"] == 0
    assert "noise/snr" not in metrics
    assert metrics["final/gap"] == pytest.approx(0, abs=1e-6)  # the test points are the training points


def test_published_signal_to_noise_ratios():
    """Report A, one draw each: 9.7257 dB at 0.1 and -15.9377 dB at 2.0."""
    for noise, published in ((0.1, 9.7257), (0.3, 0.5533), (1.0, -10.1901), (2.0, -15.9377)):
        draws = []
        for seed in range(20):
            data = SurfaceData(noise=noise, seed=seed)
            data.setup("fit")
            clean, noisy = data.test[1], data.noisy
            draws.append(10 * torch.log10(clean.square().mean() / (noisy - clean).square().mean()))
        assert min(draws) < published < max(draws)
