"""Generators and discriminators of images for generative adversarial networks.

Generators map latents (B, latent) to images (B, 1, 28, 28) in (-1, 1), discriminators images to scores (B,), before a
sigmoid if there is one.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from lit_anndl.nets.dropout import Dropout

_SIDE = 28
_SLOPE = 0.2
Norm = Literal["batch", "layer", "none"]
"""What standardises the channels of a discriminator: over the batch, within each example, or nothing."""


def fully_connected_generator(latent: int, hidden: Sequence[int] = (256, 512, 1024)) -> nn.Sequential:
    """latent - hidden - 784: leaky rectifiers of slope 0.2, and tanh at the output.

    >>> sum(p.numel() for p in fully_connected_generator(10).parameters())
    1463312
    """
    layers = _perceptron((latent, *hidden, _SIDE**2), 0.0)
    return nn.Sequential(*layers, nn.Tanh(), nn.Unflatten(1, (1, _SIDE, _SIDE)))


def fully_connected_discriminator(hidden: Sequence[int] = (1024, 512, 256), dropout: float = 0.3) -> nn.Sequential:
    """784 - hidden - 1: leaky rectifiers of slope 0.2, and dropout in training.

    >>> sum(p.numel() for p in fully_connected_discriminator().parameters())
    1460225
    """
    return nn.Sequential(nn.Flatten(), *_perceptron((_SIDE**2, *hidden, 1), dropout), nn.Flatten(0))


def convolutional_generator(latent: int, channels: Sequence[int]) -> nn.Sequential:
    """Transposed convolutions from latent channels of 1×1 to channels of 5×5, 7×7 and 14×14, and to an image.

    Between them are batch normalization and rectifiers, at the output is tanh, after DCGAN (Radford, Metz & Chintala,
    ICLR 2016), whose initial weights are smaller. Most of the cost is that of the second, 25 weights per pair of
    channels.

    >>> sum(p.numel() for p in convolutional_generator(20, (128, 64, 32)).parameters())
    302753
    """
    first, second, third = channels
    shapes = ((latent, first, 5, 1, 0), (first, second, 5, 1, 1), (second, third, 4, 2, 1))
    layers: list[nn.Module] = [nn.Unflatten(1, (latent, 1, 1))]
    for shape in shapes:
        layers += [nn.ConvTranspose2d(*shape), nn.BatchNorm2d(shape[1]), nn.ReLU()]
    net = nn.Sequential(*layers, nn.ConvTranspose2d(third, 1, 4, 2, 1), nn.Tanh())
    return net.to(memory_format=torch.channels_last)


def convolutional_discriminator(
    channels: Sequence[int], norm: Norm = "batch", outer_norm: bool = False
) -> nn.Sequential:
    """Convolutions to channels of 14×14, 7×7 and 5×5, to as many as the first of 1×1, and a linear readout.

    Leaky rectifiers of slope 0.2 follow each; the second and third are standardised before them.

    Batch normalization goes by the batch at hand, in evaluation, too: running statistics would be those of real and of
    generated images together, and the scores those of another function than the one that was trained.

    Args:
        channels: of the first three convolutions.
        norm: what standardises; with a gradient penalty not "batch", which makes the score of an image depend on the
            others.
        outer_norm: whether the first and the last convolution are standardised, too. Batch normalization of the last
            one takes from real and from generated images what their batches differ by in mean and in spread.
    """
    first, second, third = channels
    shapes = ((1, first, 4, 2, 1), (first, second, 4, 2, 1), (second, third, 5, 1, 1), (third, first, 5, 1, 0))
    layers: list[nn.Module] = []
    for shape, is_inner in zip(shapes, (False, True, True, False), strict=True):
        normalization = _norm(norm, shape[1]) if is_inner or outer_norm else []
        layers += [nn.Conv2d(*shape), *normalization, nn.LeakyReLU(_SLOPE)]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(first, 1), nn.Flatten(0))
    return net.to(memory_format=torch.channels_last)


def _perceptron(sizes: Sequence[int], dropout: float) -> list[nn.Module]:
    """The layers of a perceptron, linear at its output."""
    *hidden, output = pairwise(sizes)
    layers: list[nn.Module] = []
    for shape in hidden:
        layers += [nn.Linear(*shape), nn.LeakyReLU(_SLOPE), *([Dropout(dropout)] if dropout else [])]
    return [*layers, nn.Linear(*output)]


def _norm(kind: Norm, channels: int) -> list[nn.Module]:
    """What standardises channels, if anything does."""
    made: dict[Norm, list[nn.Module]] = {
        "batch": [nn.BatchNorm2d(channels, track_running_stats=False)],
        "layer": [nn.GroupNorm(1, channels)],
        "none": [],
    }
    return made[kind]
