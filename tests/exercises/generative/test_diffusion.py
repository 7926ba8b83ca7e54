import pytest
import torch

from lit_anndl import load
from lit_anndl.exercises.generative import diffusion_steps
from lit_anndl.exercises.generative.diffusion import DigitDiffusion
from tests.support.processes import checkpoint
from tests.support.recorded import artifacts, table

SHORT = ["diffusion", "--model.channels", "[8,8]", "--model.steps", "40", "--model.sampling_steps", "4"]
SHORT += ["--model.compared_steps", "[2,4]", "--model.compared_samples", "10", "--model.quality_samples", "20"]
SHORT += ["--data.batch_size", "50", "--data.validation_fraction", "0.1", "--model.lr_scheduler", "null"]
SHORT += ["--trainer.max_epochs", "2", "--weight_averaging.decay", "null"]


@pytest.fixture
def fit(command, digits):
    return lambda *words: command.run(*SHORT, "--data.directory", str(digits), *words)


def test_without_validation_there_is_nothing_to_compare_steps_by(fit, client):
    words = ("--data.validation_fraction", "0", "--checkpoint.monitor", "train/loss", "--model.eta", "1")
    figures = artifacts(client, fit(*words).info.run_id, "figures")
    assert "figures/fewer_steps.png" in figures
    assert not {"figures/sampling_steps.png", "figures/bits_per_dimension.png"} & figures


@pytest.mark.parametrize("sampling, quarters", [("uniform", [250, 500, 750]), ("logit_normal", [337, 500, 663])])
def test_training_draws_steps_as_asked(sampling, quarters):
    torch.manual_seed(0)
    diffusion = DigitDiffusion(torch.optim.Adam, channels=[8, 8], timestep_sampling=sampling)
    drawn = []
    diffusion.net.errors = lambda x0, t, noise: drawn.append(t)  # type: ignore[method-assign]
    diffusion(torch.zeros(20_000, 1, 28, 28))
    (t,) = drawn
    assert 1 <= t.min() <= t.max() <= 1000
    found = t.double().quantile(torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)).tolist()
    assert found == pytest.approx(quarters, abs=8)


@pytest.mark.parametrize("prediction", ["velocity", "noise"])
def test_it_learns(prediction, fit):
    words = ("--model.prediction", prediction, "--model.optimizer.lr", "0.005", "--model.quality_samples", "0")
    words = (*words, "--model.compared_samples", "0")
    first, later = (fit(*words, "--trainer.max_epochs", epochs).data.metrics for epochs in ("1", "8"))
    assert later["val/loss"] < 0.8 * first["val/loss"]
    assert later["test/bits_per_dimension"] < first["test/bits_per_dimension"] - 0.5
    assert 0 < later["test/bits_per_dimension_error"] < 3


def test_the_trained_model_samples_encodes_and_decodes(fit, client, tmp_path):
    run = fit()
    diffusion = load(run.info.run_id)
    samples, again = (diffusion.sample(6, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(samples, again)
    assert samples.shape == (6, 1, 28, 28)
    assert 0 <= samples.min() <= samples.max() <= 1
    torch.testing.assert_close((samples * 255).round() / 255, samples)
    codes = diffusion.encode(samples)
    assert codes.shape == (6, 784)
    assert diffusion.decode(codes).shape == samples.shape
    noise = torch.randn(6, 1, 28, 28, generator=torch.Generator().manual_seed(3))
    assert torch.equal(diffusion.decode(noise.flatten(1)), diffusion.sample(6, torch.Generator().manual_seed(3), eta=0))
    lines = table(client, run, "sampling_steps", tmp_path)
    assert [line["steps"] for line in lines] == [2, 4]
    least = min(line[kind] for line in lines for kind in ("η = 0", "η = 1"))
    assert run.data.metrics["sampling_steps/distance_ratio"] == pytest.approx(lines[1]["η = 0"] / least, rel=1e-4)
    names = ("loss", "bits_per_dimension", "samples", "interpolation", "sampling_steps", "fewer_steps")
    assert {f"figures/{name}.png" for name in names} <= artifacts(client, run.info.run_id, "figures")


def test_noise_on_the_way_changes_samples_and_not_latent_space(fit):
    without, within = (fit("--model.eta", eta).data.metrics for eta in ("0", "1"))
    latent = {name for name in without if name.startswith("latent/")}
    assert {name: within[name] for name in latent} == {name: without[name] for name in latent}
    assert "latent/path_detour" in latent
    assert within["quality/fid"] != without["quality/fid"]


def test_one_noise_is_followed_by_each_number_of_steps(monkeypatch):
    asked = []

    def sample(number, generator, steps=None, eta=None):
        asked.append((steps, eta, float(torch.randn(1, generator=generator))))
        return torch.zeros(number, 1, 28, 28)

    diffusion_steps.of_same_noise(sample, [2, 4], seed=0)
    assert [steps for steps, *_ in asked] == [2, 4]
    assert {eta for _, eta, _ in asked} == {0.0} and len({noise for *_, noise in asked}) == 1


@pytest.mark.parametrize("steps", [0, -3, 1001])
def test_no_sample_takes_more_steps_than_the_diffusion_or_none(steps):
    diffusion = DigitDiffusion(torch.optim.Adam, channels=[8, 8])
    with pytest.raises(ValueError, match=f"{steps} sampling steps were given, expected 1 to 1000"):
        diffusion.sample(2, torch.Generator(), steps)


def test_a_run_that_goes_on_is_the_one_that_was_never_interrupted(fit, command):
    whole, part = fit("--trainer.max_epochs", "3"), fit("--trainer.max_epochs", "2")
    again = command.run("diffusion", "--resume", part.info.run_id, "--trainer.max_epochs", "3")
    one, other = (torch.load(checkpoint(run), weights_only=True)["state_dict"] for run in (whole, again))
    assert all(torch.equal(tensor, other[key]) for key, tensor in one.items())
    for metric in ("train/loss", "val/bits_per_dimension", "test/bits_per_dimension", "quality/coverage"):
        assert whole.data.metrics[metric] == again.data.metrics[metric]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--model.optimizer", "LBFGS"), "model.optimizer: LBFGS was given, expected one without a line search"),
        (("--data.test_size", "5"), "model.quality_samples 20 was given with 5 images to compare with"),
        (("--model.sampling_steps", "41"), "model.sampling_steps 41 was given, expected 40 at most"),
        (("--model.compared_steps", "[2,400]"), "model.compared_steps 400 was given, expected 40 at most"),
        (("--model.compared_steps", "[]"), "model.compared_steps [] was given, expected numbers of steps"),
        (("--model.steps", "0"), "model.steps"),
        (("--model.steps", "1"), "model.steps 1 was given, expected 2 or more"),
        (("--model.channels", "[12]"), "model.channels [12] were given, expected multiples of 8"),
        (("--model.channels", "[8,8,8,8]"), "model.channels [8, 8, 8, 8] was given, expected one to three"),
        (("--model.compared_samples", "1"), "model.compared_samples 1 was given, expected 0, or 2 or more"),
        (("--data.train_size", "10"), "data.validation_fraction leaves one image, expected 0, or two images or more"),
        (("--trainer.precision", "bf16-true"), "trainer.precision bf16-true was given, expected 32-true, 64-true or"),
        (("--data.binarization", "threshold"), "data.binarization threshold was given, expected none"),
    ],
)
def test_wrong_input(words, says, command, digits):
    command.refuses(*SHORT, "--data.directory", str(digits), *words, says=says)
