"""The exercise surface, through the command."""

import math
from copy import deepcopy

import pytest
import torch
from torch.optim import SGD

from lit_anndl.config.configuration import parse
from lit_anndl.data.batches import TensorBatches
from lit_anndl.data.surface import SurfaceData
from lit_anndl.runs.compose import compose
from tests.support.processes import checkpoint
from tests.support.refusals import assert_refused

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


CARRIED = [
    "--data.grid_size=8",
    "--data.batch_size=20",
    "--data.noise=0.5",
    "--data.earlier_noise=[0.1,0.3]",
    "--data.epochs_of_earlier=2",
    "--model.optimizer=SGD",
    "--model.optimizer.momentum=0.9",
    "--trainer.max_epochs=6",
    "--trainer.precision=64-true",
    "--trainer.logger=false",
    "--trainer.enable_progress_bar=false",
]


def test_weights_are_carried_from_noise_to_noise():
    parts = compose(parse("surface", CARRIED), 0.0)
    net = deepcopy(parts.model.net).double()
    parts.trainer.fit(parts.model, datamodule=parts.data)
    points, latest = parts.data.train
    for number, values in enumerate([*parts.data.earlier, latest]):
        optimizer = SGD(net.parameters(), lr=1e-3, momentum=0.9)  # begins anew with each noise
        batches = TensorBatches((points.double(), values.double()), 20, seed=0)
        for epoch in (2 * number, 2 * number + 1):
            batches.set_epoch(epoch)
            for inputs, targets in (batch for batches_of_epoch in batches for batch in batches_of_epoch):
                optimizer.zero_grad()
                (net(inputs) - targets).square().mean().backward()
                optimizer.step()
    torch.testing.assert_close(parts.model.net.state_dict(), net.state_dict(), rtol=0, atol=1e-10)


def test_the_lowest_error_and_the_best_weights_are_of_the_last_noise(command):
    words = [word for word in CARRIED if "trainer" not in word]
    run = command.run("surface", *words, "--trainer.max_epochs", "6", "--checkpoint.every_n_epochs", "1")
    curve = command.client.get_metric_history(run.info.run_id, "train/mse")
    own = [point.value for point in curve if point.step >= 4]
    assert min(point.value for point in curve) < min(own) == run.data.metrics["lowest/mse"]
    best = torch.load(checkpoint(run).with_name("best.ckpt"), weights_only=True)
    assert best["epoch"] >= 4


def test_earlier_noise_lasts_for_some_epochs(command):
    message = "data.earlier_noise [0.1] was given with data.epochs_of_earlier 0"
    assert_refused(command("surface", "--data.earlier_noise=[0.1]"), message)
