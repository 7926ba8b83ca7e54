import math

import pytest
import torch

from lit_anndl import load
from lit_anndl.data.mnist import MNISTData
from lit_anndl.nets.importance_bound import importance_bound, terms
from tests.support.processes import checkpoint
from tests.support.recorded import artifacts, table

SHORT = ["vae", "--model.hidden", "[20]", "--model.latent", "4", "--data.batch_size", "40", "--trainer.max_epochs", "2"]
NOTHING = ["--model.nll_samples", "0", "--model.quality_samples", "0"]
BINARY = ["--data.binarization", "dynamic"]
LEARNING = ["--model.optimizer.lr", "0.01", "--trainer.max_epochs", "6"]
SCHEDULED = ["--model.lr_scheduler", "ExponentialLR", "--model.lr_scheduler.gamma", "0.9"]


@pytest.fixture
def fit(command, digits):
    return lambda *words: command.run(*SHORT, "--data.directory", str(digits), *NOTHING, *words)


def images(digits, binarization):
    data = MNISTData(directory=str(digits), binarization=binarization, seed=0)
    data.setup("test")
    return data.test[0].flatten(1)


def test_metrics_are_those_of_the_model(fit, digits):
    run = fit(*BINARY, *LEARNING, "--model.nll_samples", "300")
    metrics, net = run.data.metrics, load(run.info.run_id).net
    x = images(digits, "dynamic")
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        found = terms(net, x, 200, generator)
        variances = net.encode(x).mean.var(dim=0)
    assert metrics["test/kl"] == pytest.approx(found.kl.mean().item(), rel=1e-4)
    assert metrics["test/reconstruction"] == pytest.approx(found.reconstruction.mean().item(), rel=0.01)
    assert metrics["test/elbo"] == pytest.approx(-metrics["test/reconstruction"] - metrics["test/kl"])
    nll = -importance_bound(net, x, 300, generator).mean().item()
    assert metrics["test/nll"] == pytest.approx(nll, abs=0.3) and metrics["test/nll_error"] == 0
    assert metrics["test/nll"] < -metrics["test/elbo"]
    assert metrics["test/active_units"] == (variances > 0.01).sum().item()


def test_few_images_tell_the_bound_of_all(fit):
    words = (*BINARY, *LEARNING, "--model.nll_samples", "300")
    whole, few = (fit(*words, "--model.nll_images", number).data.metrics for number in ("100", "25"))
    assert few["test/nll_error"] > 0 == whole["test/nll_error"]
    assert few["test/nll"] == pytest.approx(whole["test/nll"], abs=4 * few["test/nll_error"] + 0.1)


FEW = ["--data.train_size", "80", "--data.test_size", "20"]


def assert_learns(client, run):
    losses = [entry.value for entry in client.get_metric_history(run.info.run_id, "val/loss")]
    assert losses[-1] < losses[0] - 5, losses


@pytest.mark.parametrize(
    ("words", "elbo", "nll"),
    [
        (BINARY, "elbo", "nll"),
        (["--data.binarization", "threshold"], "elbo_threshold", "nll_threshold"),
        ([], "elbo_grey", None),
        (["--model.likelihood", "gaussian"], "elbo_density", "nll_density"),
        (["--model.likelihood", "gaussian", "--model.deviation", "0.2"], "elbo_density", "nll_density"),
        (["--model.likelihood", "categorical", *FEW], "elbo_levels", "nll_levels"),
    ],
)
def test_targets_of_different_kinds_are_learnt_and_share_no_name(words, elbo, nll, fit, client):
    run = fit(*words, *LEARNING, "--model.nll_samples", "20", "--model.nll_images", "20")
    assert_learns(client, run)
    metrics = run.data.metrics
    found = {name for name in metrics if name.startswith(("test/elbo", "test/nll")) and "error" not in name}
    assert found == {f"test/{each}" for each in (elbo, nll) if each}
    if nll == "nll_levels":
        assert metrics["test/bits_per_dimension"] == pytest.approx(metrics["test/nll_levels"] / 784 / math.log(2))


@pytest.mark.parametrize(
    ("words", "is_tighter"), [([], True), (["--model.importance_weighted", "false", "--model.hidden", "[]"], False)]
)
def test_of_several_samples_the_weighted_bound_is_the_tighter(words, is_tighter, fit, client):
    run = fit(*BINARY, *LEARNING, "--model.samples", "5", *words)
    assert_learns(client, run)
    loss, elbo = (run.data.metrics[f"test/{name}"] for name in ("loss", "elbo"))
    assert loss < -elbo - 0.01 if is_tighter else loss == pytest.approx(-elbo)


def test_loss_weighs_the_divergence(fit):
    metrics = fit("--model.kl_weight", "0.5", "--model.kl_warm_up", "2").data.metrics  # weights 0, 0.25
    for stage, weight in (("train", 0.25), ("val", 0.5), ("test", 0.5)):
        loss = metrics[f"{stage}/reconstruction"] + weight * metrics[f"{stage}/kl"]
        assert metrics[f"{stage}/loss"] == pytest.approx(loss, rel=1e-5)


def test_a_run_that_goes_on_is_the_one_that_was_never_interrupted(fit, command):
    words = (*BINARY, *SCHEDULED, "--model.samples", "3", "--model.kl_warm_up", "3", "--weight_averaging.decay", "0.9")
    whole = fit(*words, "--trainer.max_epochs", "4")
    part = fit(*words, "--trainer.max_epochs", "2")
    again = command.run("vae", "--resume", part.info.run_id, "--trainer.max_epochs", "4")
    one, other = (torch.load(checkpoint(run), weights_only=True)["state_dict"] for run in (whole, again))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    for metric in ("train/loss", "val/loss", "test/loss", "test/active_units"):
        assert whole.data.metrics[metric] == again.data.metrics[metric]


def test_a_code_of_two_is_mapped(fit, client, tmp_path):
    run = fit(*FEW, "--model.latent", "2", "--model.quality_samples", "20")
    names = ("loss", "reconstruction", "kl", "reconstructions", "interpolation", "path", "units", "code_map")
    names = (*names, "code_grid", "samples", "nearest")
    assert {f"figures/{name}.png" for name in names} <= artifacts(client, run.info.run_id)
    lines = table(client, run, "units", tmp_path)
    assert sum(line["KL divergence [nats]"] for line in lines) == pytest.approx(run.data.metrics["test/kl"], rel=1e-4)
    metrics = run.data.metrics
    assert metrics["quality/fid"] > 0 and metrics["latent/path_length"] > 0 and 0 < metrics["latent/mse"] < 0.2


def test_precisions_agree(fit):
    precisions = ("32-true", "64-true", "bf16-mixed")
    words = (*BINARY, "--model.nll_samples", "20", "--trainer.max_epochs", "1", "--trainer.precision")
    one, *others = (fit(*words, precision).data.metrics["test/nll"] for precision in precisions)
    assert others == pytest.approx([one, one], rel=0.02)


def test_it_comes_back_to_sample_encode_and_decode(fit):
    module = load(fit().info.run_id)
    draw = [module.sample(3, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert draw[0].shape == (3, 1, 28, 28) and torch.equal(draw[0], draw[1]) and not torch.equal(draw[0], draw[2])
    assert draw[0].min().item() >= 0 and draw[0].max().item() <= 1
    codes = module.encode(draw[0])
    assert codes.shape == (3, 4) and torch.equal(module.decode(codes), module(draw[0]))
    assert torch.allclose(module(draw[0]).flatten(1), module.net(draw[0].flatten(1)))


def test_first_images_are_the_mean(fit, digits):
    before = load(fit("--model.optimizer.lr", "0").info.run_id)
    data = MNISTData(directory=str(digits), seed=0)
    data.setup("fit")
    codes = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    first = before.decode(codes).mean(dim=0)
    assert (first - data.train[0].mean(dim=0)).abs().mean().item() < 0.03


@pytest.mark.parametrize("preset", ["vae_burda", "iwae"])
def test_presets_of_the_published_net(preset, command, digits):
    words = ("--data.directory", str(digits), "--trainer.max_epochs", "1", *NOTHING)
    assert command.run(preset, *words).data.metrics["parameters"] == 425_284


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model.latent", "0"], "model.latent: 0 was given, expected"),
        (["--model.samples", "0"], "model.samples: 0 was given, expected"),
        (["--model.likelihood", "poisson"], "model.likelihood: poisson was given, expected"),
        (["--model.likelihood", "gaussian", *BINARY], "model.likelihood gaussian was given for zeros and ones"),
        (["--model.likelihood", "categorical", *BINARY], "expected bernoulli, or grey levels (none)"),
        (["--model.deviation", "0.1"], "model.deviation 0.1 was given with likelihood bernoulli, expected gaussian"),
        (["--model.likelihood", "gaussian", "--model.deviation", "0"], "model.deviation: 0 was given, expected"),
        (["--data.batch_size", "361"], "data.batch_size 361 was given, expected 360 at most, all there are"),
        (["--model.optimizer", "LBFGS"], "model.optimizer: LBFGS was given, expected one without a line search"),
        (["--model.kl_weight", "-1"], "model.kl_weight: -1 was given, expected"),
        (["--model.nll_images", "1"], "model.nll_images 1 was given, expected 2 or more"),
        (["--model.quality_samples", "3"], "model.quality_samples 3 was given"),
    ],
)
def test_wrong_words_leave_no_run(words, said, command, digits):
    command.refuses(*SHORT, "--data.directory", str(digits), *NOTHING, *words, says=said)
