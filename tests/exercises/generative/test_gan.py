import math
from functools import partial

import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from torch.optim import SGD, Adam

from lit_anndl import load
from lit_anndl.data.batches import TensorBatches
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.exercises.generative.gan import AdversarialNetworks
from lit_anndl.exercises.generative.gan_nets import FullyConnectedNets
from lit_anndl.nets.adversarial_losses import ADVERSARIAL_LOSSES, gradient_penalty
from tests.support.processes import checkpoint
from tests.support.recorded import artifacts, table
from tests.support.refusals import assert_refused
from tests.support.regression import make_trainer

QUIET = ["--model.quality_samples", "0", "--model.fid_samples", "20", "--data.batch_size", "60"]
SHORT = ["gan", *QUIET, "--model.nets.hidden", "[16]", "--model.latent", "3", "--trainer.max_epochs", "2"]
STEP = partial(Adam, lr=0.01, betas=(0.5, 0.9))


@pytest.fixture
def fit(command, digits):
    return lambda *words: command.run(*SHORT, "--data.directory", str(digits), *words)


def train(digits, epochs=2, plugins=(), clipping=None, step=STEP, **settings):
    """A module trained for some epochs, and its data."""
    torch.manual_seed(5)
    nets = FullyConnectedNets((16,), 0.0)
    module = AdversarialNetworks(nets, step, step, 3, fid_samples=20, snapshot_epochs=0, **settings)
    module.gradient_clipping = clipping
    data = MNISTData(directory=str(digits), batch_size=60, validation_fraction=0.0)
    module.build(data)
    make_trainer(max_epochs=epochs, limit_val_batches=0, plugins=list(plugins)).fit(module, datamodule=data)
    return module, data


def train_by_hand(digits, loss, clip=None, penalty=0.0, every=1, ahead=0, pixels=False):
    """The same training as a plain loop: each batch for the discriminator, some for the generator, too."""
    torch.manual_seed(5)
    nets, game = FullyConnectedNets((16,), 0.0), ADVERSARIAL_LOSSES[loss]
    generator, discriminator = nets.generator(3), nets.discriminator(3)
    data = MNISTData(directory=str(digits), validation_fraction=0.0)
    data.setup("fit")
    batches = TensorBatches(data.train, 60, seed=data.run_seed)
    of_generator, of_discriminator = STEP(generator.parameters()), STEP(discriminator.parameters())
    step = 0
    for epoch in range(2):
        batches.set_epoch(epoch)
        for images, _ in (batch for item in batches for batch in item):
            real = images if pixels else 2 * images - 1
            fake = generator(torch.randn(len(real), 3))
            cost = game.discriminator(discriminator(real), discriminator(fake.detach()))
            if penalty:
                cost = cost + penalty * gradient_penalty(discriminator, real, fake.detach(), torch.rand(len(real)))
            of_discriminator.zero_grad()
            cost.backward()
            of_discriminator.step()
            if clip:
                for parameter in discriminator.parameters():
                    parameter.data.clamp_(-clip, clip)
            step += 1
            if step > ahead and (step - ahead) % every == 0:
                of_generator.zero_grad()
                game.generator(discriminator(fake)).backward()
                of_generator.step()
    return generator, discriminator


@pytest.mark.parametrize(
    ("settings", "by_hand"),
    [
        ({}, {"loss": "non_saturating"}),
        ({"course_pixels": True}, {"loss": "non_saturating", "pixels": True}),
        ({"loss": "minimax", "discriminator_head_start": 9}, {"loss": "minimax", "ahead": 9}),
        (
            {"loss": "wasserstein", "weight_clipping": 0.05, "discriminator_steps": 3, "discriminator_head_start": 2},
            {"loss": "wasserstein", "clip": 0.05, "every": 3, "ahead": 2},
        ),
        (
            {"loss": "wasserstein", "gradient_penalty": 10.0, "discriminator_steps": 2},
            {"loss": "wasserstein", "penalty": 10.0, "every": 2},
        ),
    ],
)
def test_training_is_the_published_algorithm(settings, by_hand, digits):
    net = train(digits, **settings)[0].net
    for ours, theirs in zip((net.generator, net.discriminator), train_by_hand(digits, **by_hand), strict=True):
        torch.testing.assert_close(list(ours.parameters()), list(theirs.parameters()), rtol=1e-4, atol=1e-6)


def test_sizes_and_metrics_are_those_of_the_nets(fit, command, digits):
    run = command.run(
        *("gan", *QUIET, "--data.directory", str(digits), "--model.latent", "10", "--trainer.max_epochs", "1"),
        *("--model.discriminator_steps", "2"),
    )
    metrics = run.data.metrics
    assert metrics["parameters"] == 1_463_312 + 1_460_225
    module = load(run.info.run_id)
    data = MNISTData(directory=str(digits), seed=0)
    data.setup("test")
    real = 2 * data.test[0] - 1
    fake = module.net(torch.randn(len(real), 10, generator=stream(0, "latents of test")))
    scores = module.net.discriminator(real), module.net.discriminator(fake)
    halves = -scores[0].sigmoid().log().mean(), -(1 - scores[1].sigmoid()).log().mean()
    assert metrics["test/discriminator_loss"] == pytest.approx(float(sum(halves).detach()) / 2, rel=1e-4)
    assert metrics["test/generator_loss"] == pytest.approx(float(-scores[1].sigmoid().log().mean().detach()), rel=1e-4)
    assert metrics["test/discriminator_accuracy_real"] == pytest.approx(float((scores[0] > 0).float().mean()))
    assert metrics["test/discriminator_accuracy_fake"] == pytest.approx(float((scores[1] < 0).float().mean()))
    for name in ("generator_loss", "discriminator_loss"):
        assert metrics[f"train/{name}_epoch_1"] == metrics[f"train/{name}"]
    assert metrics["train/generator_gradient_norm"] > 0 and metrics["val/fid"] > 0


def test_samples_come_nearer_to_the_images(digits):
    def distance(epochs):
        module, data = train(digits, epochs)
        means = [images.mean(dim=0) for images in (module.sample(200, torch.Generator().manual_seed(0)), data.train[0])]
        return float((means[0] - means[1]).square().mean())

    assert distance(30) < distance(1) / 3


def test_a_discriminator_ahead_leaves_no_gradient_to_the_game_of_zero_sum(fit, client, tmp_path):
    ahead = ("--model.discriminator_head_start", "100", "--model.discriminator_optimizer.lr", "0.002")
    run = fit(*ahead, "--trainer.max_epochs", "17", "--model.loss", "minimax")
    lines = table(client, run, "vanishing_gradient", tmp_path)
    assert [line["discriminator steps"] for line in lines] == [0, 1, 2, 5, 10, 20, 50, 100]
    first, last = lines[0], lines[-1]
    assert first["minimax"] == pytest.approx(first["non_saturating"], rel=0.2)
    assert last["minimax"] < 0.2 * first["minimax"] and last["minimax"] < 0.2 * last["non_saturating"]
    metrics = run.data.metrics
    assert metrics["head_start/gradient_minimax"] == last["minimax"]
    assert metrics["head_start/gradient_non_saturating"] == last["non_saturating"]
    (judge,) = table(client, run, "classifier", tmp_path)  # of val/fid
    assert len(judge["SHA-256"]) == 64


def test_what_is_left_to_look_at(fit, client, tmp_path):
    run = fit(
        *("--model.quality_samples", "60", "--model.latent", "2", "--model.snapshot_epochs", "1"),
        *("--model.discriminator_head_start", "2"),
    )
    names = ("losses", "discriminator_accuracy", "generator_gradient", "fid", "samples_over_training", "interpolation")
    names += ("interpolation_path", "latent_plane", "vanishing_gradient", "samples", "nearest")
    assert {f"figures/{name}.png" for name in names} == artifacts(client, run.info.run_id, "figures")
    lines = table(client, run, "parameters", tmp_path)
    assert lines[-1]["parameters"] == run.data.metrics["parameters"] == sum(line["parameters"] for line in lines[:-1])
    assert {"quality/fid", "quality/least_frequent_class"} <= set(run.data.metrics)


@pytest.mark.parametrize("preset", ["dcgan", "wgan"])
def test_a_run_that_goes_on_is_the_one_that_was_never_interrupted(preset, command, digits):
    """Five batches an epoch: the head start and the steps of the generator do not end with epochs."""
    options = [preset, *QUIET, "--data.directory", str(digits), "--model.latent", "3", "--data.batch_size", "75"]
    options += ["--model.discriminator_steps", "2", "--model.discriminator_head_start", "6"]
    options += ["--model.snapshot_epochs", "1"]
    options += ["--model.nets.channels", "[3,2,1]"] if preset == "dcgan" else ["--model.nets.hidden", "[16]"]
    whole = command.run(*options, "--trainer.max_epochs", "4")
    part = command.run(*options, "--trainer.max_epochs", "2")
    again = command.run(preset, "--resume", part.info.run_id, "--trainer.max_epochs", "4")
    one, other = (torch.load(checkpoint(run), weights_only=True) for run in (whole, again))
    assert all(torch.equal(tensor, other["state_dict"][name]) for name, tensor in one["state_dict"].items())
    measured = {name: value for name, value in whole.data.metrics.items() if not name.startswith("seconds/")}
    assert measured == {name: again.data.metrics[name] for name in measured}
    assert one["adversarial"] == other["adversarial"] and one["adversarial"]["batches_seen"] == 20
    for kept, (epoch, images), (as_whole, expected) in zip(
        range(1, 5), other["snapshots"], one["snapshots"], strict=True
    ):
        assert kept == epoch == as_whole and torch.equal(images, expected)


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_other_precisions(precision, fit):
    losses = ("--model.loss", "wasserstein", "--model.gradient_penalty", "1")
    run, plain = fit("--trainer.precision", precision, *losses), fit(*losses)
    name = "train/gradient_penalty"
    assert run.data.metrics[name] == pytest.approx(plain.data.metrics[name], rel=0.1)


@pytest.mark.parametrize("clipping", [None, (0.01, "norm"), (0.001, "value")])
@pytest.mark.parametrize("settings", [{}, {"loss": "wasserstein", "gradient_penalty": 1.0}])
def test_half_precision_scales_the_loss_and_nothing_else(settings, clipping, digits):
    def weights(module):
        return torch.cat([each.detach().flatten() for each in module.parameters()])

    half = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=256.0))
    settings = {"clipping": clipping, "step": partial(SGD, lr=0.02), **settings}
    begun, plain, halved = (
        train(digits, epochs, plugins, **settings)[0] for epochs, plugins in ((0, []), (2, []), (2, [half]))
    )
    moved = (weights(plain) - weights(begun)).norm()
    assert 0 < float((weights(halved) - weights(plain)).norm()) < 0.05 * float(moved)
    norms = [float(each.trainer.callback_metrics["train/generator_gradient_norm"]) for each in (halved, plain)]
    assert norms[0] == pytest.approx(norms[1], rel=0.05)


def test_averaged_weights_are_those_that_samples_are_drawn_by(fit):
    run = fit("--weight_averaging.decay", "0.5")
    state = torch.load(checkpoint(run), weights_only=True)
    name = "net.generator.0.weight"
    averaged, trained = (state[kind][name] for kind in ("state_dict", "current_model_state"))
    assert torch.equal(load(run.info.run_id).net.generator[0].weight, averaged) and not torch.equal(averaged, trained)


@pytest.mark.parametrize("pixels", ["true", "false"])
def test_it_comes_back_to_sample_and_decode(pixels, fit):
    run = fit("--model.course_pixels", pixels)
    module = load(run.info.run_id)
    draw = [module.sample(3, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert draw[0].shape == (3, 1, 28, 28) and torch.equal(draw[0], draw[1]) and not torch.equal(draw[0], draw[2])
    z = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    outputs = module.net(z).detach()
    assert torch.equal(draw[0], outputs.clamp(0, 1) if pixels == "true" else (outputs + 1) / 2)
    assert torch.equal(module.decode(z), draw[0]) and torch.equal(module(z), draw[0])
    again = type(module).load_from_checkpoint(checkpoint(run))
    assert torch.equal(again.decode(z), draw[0])


def test_without_validation_images_nothing_is_monitored_by_them(fit):
    run = fit("--data.validation_fraction", "0", "--checkpoint.monitor", "train/generator_loss")
    assert not any(name.startswith("val/") for name in run.data.metrics)
    assert math.isfinite(run.data.metrics["test/generator_loss"])


WASSERSTEIN = ["--model.loss", "wasserstein"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model.latent", "0"], "model.latent: 0 was given, expected"),
        (["--data.batch_size", "361"], "data.batch_size 361 was given, expected 360 at most, all there are"),
        (["--model.weight_clipping", "0.01"], "model.weight_clipping 0.01 was given with model.loss non_saturating"),
        (WASSERSTEIN, "expected one bound on the critic's slope"),
        ([*WASSERSTEIN, "--model.weight_clipping", "0.01", "--model.gradient_penalty", "10"], "expected one bound"),
        (["--model.gradient_penalty", "-1"], "model.gradient_penalty: -1 was given, expected a number ≥ 0"),
        (["--model.loss", "hinge"], "model.loss"),
        (["--model.fid_samples", "1"], "model.fid_samples 1 was given, expected 2 or more"),
        (["--model.quality_samples", "3"], "model.quality_samples 3 was given, expected 0 for none, or more than"),
        (["--model.generator_optimizer", "LBFGS"], "model.generator_optimizer: LBFGS was given, expected one without"),
        (["--model.discriminator_optimizer.lr", "-1"], "fit: model.discriminator_optimizer.lr: -1.0 was given"),
        (["--model.generator_optimizer.betas", "[0.5,1]"], "fit: model.generator_optimizer.betas: 1.0 was given"),
        (["--model.discriminator_steps", "0"], "model.discriminator_steps: 0 was given"),
        (["--model.nets.hidden", "[16,0]"], "model.nets.hidden"),
        (["--model.nets.dropout", "1.5"], "model.nets.dropout: 1.5 was given"),
        (["--trainer.accelerator", "cpu", "--trainer.devices", "2"], "trainer.devices: 2 processes"),
        (["--data.validation_fraction", "0"], "checkpoint.monitor val/fid needs validation data"),
    ],
)
def test_wrong_words_leave_no_run(words, said, command, digits):
    before = len(command.runs())
    assert_refused(command(*SHORT, "--data.directory", str(digits), *words), said)
    assert len(command.runs()) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model.gradient_penalty", "10"], "expected --model.nets.norm layer or none"),
        (["--data.batch_size", "359"], "leaves a last batch of one"),
        (["--model.nets.outer_norm", "true", "--data.test_size", "1"], "the 1 test images leave a last batch of one"),
        (["--model.nets.channels", "[0,2,1]"], "model.nets.channels: [0, 2, 1] was given, expected a whole number > 0"),
        (["--model.nets.channels", "[4,2]"], "model.nets.channels: [4, 2] was given, expected three numbers"),
    ],
)
def test_wrong_words_of_convolutional_nets(words, said, command, digits):
    tiny = ["dcgan", *QUIET, "--model.nets.channels", "[3,2,1]", "--data.directory", str(digits)]
    assert_refused(command(*tiny, *words), said)
