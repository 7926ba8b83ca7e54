import pytest
import torch

from lit_anndl.exercises.generative.gan_nets import ConvolutionalNets, FullyConnectedNets
from lit_anndl.nets.adversarial_game import AdversarialGame

CHANNELS = (8, 4, 2)
PAIRS = [FullyConnectedNets(), FullyConnectedNets((8,), 0.0), ConvolutionalNets(), ConvolutionalNets(CHANNELS, "layer")]


def parameters(net):
    return sum(parameter.numel() for parameter in net.parameters())


def test_sizes_are_those_that_were_published():
    nets = FullyConnectedNets()
    assert (parameters(nets.generator(10)), parameters(nets.discriminator(10))) == (1_463_312, 1_460_225)


@pytest.mark.parametrize("nets", PAIRS)
def test_images_and_scores(nets):
    z = torch.randn(3, 5)
    generator, discriminator = nets.generator(5), nets.discriminator(5)
    images = generator(z)
    assert images.shape == (3, 1, 28, 28) and float(images.detach().abs().max()) <= 1
    assert discriminator(images).shape == (3,)


def test_channels_are_those_of_the_course():
    z = 3
    nets = ConvolutionalNets()
    shapes = [tuple(p.shape) for p in nets.generator(z).parameters() if p.dim() == 4]
    assert shapes == [(z, 32 * z, 5, 5), (32 * z, 16 * z, 5, 5), (16 * z, z, 4, 4), (z, 1, 4, 4)]
    shapes = [tuple(p.shape) for p in nets.discriminator(z).parameters() if p.dim() == 4]
    assert shapes == [(z, 1, 4, 4), (16 * z, z, 4, 4), (32 * z, 16 * z, 5, 5), (z, 32 * z, 5, 5)]


def test_without_batch_normalization_scores_do_not_depend_on_other_images():
    images = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for nets, alone in ((ConvolutionalNets(CHANNELS, "layer"), True), (ConvolutionalNets(CHANNELS, "batch"), False)):
        discriminator = nets.discriminator(2)
        assert torch.allclose(discriminator(images)[:2], discriminator(images[:2]), atol=1e-5) is alone


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_what_is_evaluated_is_what_was_trained(norm):
    torch.manual_seed(0)
    discriminator = ConvolutionalNets(CHANNELS, norm, outer_norm=True).discriminator(2)
    images = torch.rand(5, 1, 28, 28)
    for _ in range(3):
        trained = discriminator.train()(images)
    assert torch.equal(trained, discriminator.eval()(images))


@torch.no_grad()
def test_batches_are_told_apart_by_their_means():
    """Unless the last convolution is standardised, too."""
    torch.manual_seed(0)
    dark, bright = torch.rand(2, 64, 1, 28, 28) + torch.tensor([-1.0, 0.0]).reshape(2, 1, 1, 1, 1)

    def difference(outer_norm):
        *layers, _, _, _, _ = ConvolutionalNets((16, 8, 4), outer_norm=outer_norm).discriminator(2)
        features = torch.nn.Sequential(*layers)
        return float((features(dark).mean(0) - features(bright).mean(0)).abs().max())

    assert difference(True) < 1e-5 < 1e-2 < difference(False)


@pytest.mark.parametrize("loss", ["non_saturating", "minimax", "wasserstein"])
def test_both_sides_see_the_same_scores(loss):
    torch.manual_seed(0)
    nets = FullyConnectedNets((8,), 0.0)
    game = AdversarialGame(nets.generator(2), nets.discriminator(2), loss, 10.0)
    real, fake = torch.rand(6, 1, 28, 28), game(torch.randn(6, 2))
    judged = game.judge(real, fake)
    assert torch.equal(judged["generator_loss"], game.generator_loss(fake))
    scores = game.discriminator(real), game.discriminator(fake)
    threshold = (scores[0].mean() + scores[1].mean()) / 2 if loss == "wasserstein" else 0.0
    assert float(judged["discriminator_accuracy_real"]) == float((scores[0] > threshold).float().mean())
    assert float(judged["discriminator_accuracy_fake"]) == float((scores[1] < threshold).float().mean())
