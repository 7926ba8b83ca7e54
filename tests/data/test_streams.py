"""One seed, several independent streams."""

import torch

from lit_anndl import load
from lit_anndl.data.bootstrap import bootstrap
from lit_anndl.data.regression import RegressionData
from lit_anndl.data.streams import stream
from lit_anndl.data.surface import SurfaceData
from tests.support.processes import checkpoint


def drawn(generator: torch.Generator) -> torch.Tensor:
    return torch.randn(10_000, generator=generator)


def test_a_stream_is_a_function_of_seed_and_purpose() -> None:
    assert torch.equal(drawn(stream(3, "noise")), drawn(stream(3, "noise")))
    streams = [drawn(stream(seed, purpose)) for seed in (0, 1) for purpose in ("noise", "split")]
    correlations = torch.corrcoef(torch.stack([*streams, drawn(torch.Generator().manual_seed(0))]))
    assert (correlations - torch.eye(5)).abs().max() < 0.05


def test_the_noise_of_the_data_is_not_that_of_the_weights() -> None:
    torch.manual_seed(0)
    data = SurfaceData(noise=1.0)
    data.setup("fit")
    noise = (data.noisy - data.test[1]).squeeze(1)
    for size in (noise.shape, data.noisy.shape):
        weights = torch.randn(size, generator=torch.Generator().manual_seed(0)).flatten()
        assert torch.corrcoef(torch.stack([noise, weights]))[0, 1].abs() < 0.1


def test_a_run_of_before_is_not_gone_on_with_on_other_data(command) -> None:
    run = command.run("surface", "--trainer.max_epochs", "1", "--data.grid_size", "5")
    path = checkpoint(run)
    content = torch.load(path, weights_only=True)
    del content["drawn"]
    torch.save(content, path)
    words = ["surface", "--resume", run.info.run_id, "--trainer.max_epochs", "2"]
    command.refuses(*words, says="in which a seed gave other data; begin the run anew")
    assert load(run.info.run_id).training is False  # its weights are as good as before


def test_points_and_bootstrap_samples_are_drawn_apart() -> None:
    torch.manual_seed(0)
    data = RegressionData()
    data.setup("fit")
    indices = torch.arange(len(data.train[0]))
    (samples,) = bootstrap((indices,), 1, seed=0)
    assert (samples.squeeze(1) == indices).float().mean() < 0.01
    again = RegressionData(resamples=3)
    again.setup("fit")
    assert torch.equal(data.train[0], again.train[0])
