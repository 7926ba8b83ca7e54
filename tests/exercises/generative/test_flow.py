import math

import pytest
import torch

from lit_anndl import load
from tests.support.processes import checkpoint
from tests.support.recorded import artifacts

SHORT = ["flow", "--model.steps", "1", "--model.hidden", "8", "--data.batch_size", "50"]
SHORT += ["--model.lr_scheduler", "null", "--trainer.max_epochs", "2", "--model.quality_samples", "20"]
KINDS = {"coupling": [], "autoregressive": ["--model.kind", "autoregressive"]}


@pytest.fixture
def fit(command, digits):
    return lambda *words: command.run(*SHORT, "--data.directory", str(digits), *words)


@pytest.mark.parametrize("kind", KINDS)
def test_metrics_are_one_bound_in_several_units(kind, fit):
    metrics = fit(*KINDS[kind]).data.metrics
    for stage in ("train", "val", "test"):
        assert metrics[f"{stage}/nll"] == pytest.approx(metrics[f"{stage}/bits_per_dimension"] * 784 * math.log(2))
    assert 0 < metrics["test/bits_per_dimension"] < 12
    assert 0 <= metrics["quality/coverage"] <= 1


@pytest.mark.parametrize("words", [*KINDS.values(), ["--model.dequantization", "variational"]])
def test_it_learns(words, fit):
    first, later = (fit(*words, "--trainer.max_epochs", epochs).data.metrics for epochs in ("1", "5"))
    assert later["test/bits_per_dimension"] < first["test/bits_per_dimension"] - 0.3


def test_the_trained_flow_samples_encodes_and_decodes(fit, client):
    run = fit()
    flow = load(run.info.run_id)
    samples, again = (flow.sample(6, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(samples, again)
    assert samples.shape == (6, 1, 28, 28)
    assert 0 <= samples.min() <= samples.max() <= 1
    levels = (samples * 255).round() / 255
    torch.testing.assert_close(samples, levels)
    torch.testing.assert_close(flow.decode(flow.encode(samples)), samples, atol=2 / 255, rtol=0)
    figures = {f"figures/{name}.png" for name in ("bits_per_dimension", "samples", "interpolation", "likely_images")}
    assert figures <= artifacts(client, run.info.run_id, "figures")


def test_a_run_that_goes_on_is_the_one_that_was_never_interrupted(fit, command):
    whole, part = fit("--trainer.max_epochs", "3"), fit("--trainer.max_epochs", "2")
    again = command.run("flow", "--resume", part.info.run_id, "--trainer.max_epochs", "3")
    one, other = (torch.load(checkpoint(run), weights_only=True)["state_dict"] for run in (whole, again))
    assert all(torch.equal(tensor, other[key]) for key, tensor in one.items())
    for metric in ("train/bits_per_dimension", "val/bits_per_dimension", "test/bits_per_dimension", "quality/coverage"):
        assert whole.data.metrics[metric] == again.data.metrics[metric]


def test_between_one_image_and_none_there_is_no_way(fit, client):
    run = fit("--data.test_size", "1", "--model.quality_samples", "0", "--trainer.max_epochs", "1")
    figures = artifacts(client, run.info.run_id, "figures")
    assert "figures/likely_images.png" in figures and "figures/interpolation.png" not in figures


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--model.optimizer", "LBFGS"), "model.optimizer: LBFGS was given, expected one without a line search"),
        (("--data.test_size", "5"), "model.quality_samples 20 was given with 5 images to compare with"),
        (("--model.scales", "3"), "model.scales 3 was given, but 28 x 28 pixels are halved twice at most"),
        (("--model.alpha", "0.5"), "model.alpha 0.5 was given, expected 1e-07 or more, and less than 0.5"),
        (("--data.binarization", "dynamic"), "data.binarization dynamic was given, expected none"),
        (("--trainer.precision", "16-true"), "trainer.precision 16-true was given, expected 32-true, 64-true or"),
        (("--model.steps", "0"), "model.steps"),
    ],
)
def test_wrong_input(words, says, command, digits):
    command.refuses(*SHORT, "--data.directory", str(digits), *words, says=says)
