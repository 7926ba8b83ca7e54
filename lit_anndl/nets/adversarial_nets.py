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


def convolutional_generator(latent: int, width: int) -> nn.Sequential:
    """Transposed convolutions from latent channels of 1×1 to 32 w of 5×5, 16 w of 7×7, w of 14×14, and an image.

    Between them are batch normalization and rectifiers, at the output is tanh, after DCGAN (Radford, Metz & Chintala,
    ICLR 2016). The cost grows as w²; nearly all of it is that of the second.

    >>> sum(p.numel() for p in convolutional_generator(20, 4).parameters())
    273549
    """
    shapes = ((latent, 32 * width, 5, 1, 0), (32 * width, 16 * width, 5, 1, 1), (16 * width, width, 4, 2, 1))
    layers: list[nn.Module] = [nn.Unflatten(1, (latent, 1, 1))]
    for shape in shapes:
        layers += [nn.ConvTranspose2d(*shape), nn.BatchNorm2d(shape[1]), nn.ReLU()]
    net = nn.Sequential(*layers, nn.ConvTranspose2d(width, 1, 4, 2, 1), nn.Tanh())
    return net.to(memory_format=torch.channels_last)


def convolutional_discriminator(width: int, norm: Norm = "batch") -> nn.Sequential:
    """Convolutions to w channels of 14×14, 16 w of 7×7, 32 w of 5×5 and w of 1×1, and a linear readout.

    Each is standardised and followed by leaky rectifiers of slope 0.2.

    Args:
        width: w.
        norm: what standardises; with a gradient penalty not "batch", which makes the score of an image depend on the
            others.
    """
    before, after = ((1, width, 4, 2, 1), (width, 16 * width, 4, 2, 1)), (32 * width, width, 5, 1, 0)
    shapes = (*before, (16 * width, 32 * width, 5, 1, 1), after)
    layers: list[nn.Module] = []
    for shape in shapes:
        layers += [nn.Conv2d(*shape), *_norm(norm, shape[1]), nn.LeakyReLU(_SLOPE)]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(width, 1), nn.Flatten(0))
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
        "batch": [nn.BatchNorm2d(channels)],
        "layer": [nn.GroupNorm(1, channels)],
        "none": [],
    }
    return made[kind]
