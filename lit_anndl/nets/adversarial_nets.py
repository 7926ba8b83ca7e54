"""Pairs of nets for generative adversarial networks of images: a generator, and a discriminator or critic."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

SIDE = 28
_SLOPE = 0.2
Norm = Literal["batch", "layer", "none"]
"""What standardises the channels of a discriminator: over the batch, within each example, or nothing."""


class AdversarialNets(ABC):
    """How a generator and a discriminator of images are made; subclasses are exchangeable."""

    @abstractmethod
    def generator(self, latent: int) -> nn.Module:
        """(B, latent) → images (B, 1, 28, 28) in (-1, 1)."""

    @abstractmethod
    def discriminator(self, latent: int) -> nn.Module:
        """Images (B, 1, 28, 28) in [-1, 1] → scores (B,), before a sigmoid if there is one."""


class FullyConnectedNets(AdversarialNets):
    """Multilayer perceptrons with leaky rectifiers of slope 0.2, and tanh at the generator's output.

    Args:
        hidden: units per hidden layer of the generator; the discriminator has the same in reverse.
        dropout: probability of zeroing a hidden unit of the discriminator, in training.

    Raises:
        ValueError: a layer without units, or a dropout that is no probability.

    >>> nets = FullyConnectedNets()
    >>> [sum(p.numel() for p in net.parameters()) for net in (nets.generator(10), nets.discriminator(10))]
    [1463312, 1460225]
    """

    def __init__(self, hidden: Sequence[int] = (256, 512, 1024), dropout: float = 0.3) -> None:
        if any(units < 1 for units in hidden):
            raise ValueError(f"hidden {list(hidden)} was given, expected numbers of 1 or more")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout {dropout} was given, expected 0 ≤ dropout < 1")
        self.hidden, self.dropout = tuple(hidden), dropout

    def generator(self, latent: int) -> nn.Module:
        """latent - hidden - 784."""
        return nn.Sequential(
            *_perceptron((latent, *self.hidden, SIDE**2), 0.0), nn.Tanh(), nn.Unflatten(1, (1, SIDE, SIDE))
        )

    def discriminator(self, latent: int) -> nn.Module:
        """784 - hidden in reverse - 1."""
        return nn.Sequential(nn.Flatten(), *_perceptron((SIDE**2, *self.hidden[::-1], 1), self.dropout), nn.Flatten(0))


class ConvolutionalNets(AdversarialNets):
    """Convolutions and their transposes, after DCGAN (Radford, Metz & Chintala, ICLR 2016), without a pooling.

    Generator: latent channels of 1×1, transposed convolutions to 32 w of 5×5, 16 w of 7×7, w of 14×14 and 1 of 28×28,
    with batch normalization and rectifiers between them, tanh at the output. Discriminator: convolutions to w of 14×14,
    16 w of 7×7, 32 w of 5×5 and w of 1×1, each standardised, with leaky rectifiers of slope 0.2, and a linear readout.

    Args:
        width: w; as many as there are latent variables, unless given. A step's cost grows as its square.
        norm: what standardises the discriminator's channels; with a gradient penalty not "batch", which would make the
            score of an image depend on the others.

    Raises:
        ValueError: a width below 1.

    >>> sum(p.numel() for p in ConvolutionalNets(4).generator(20).parameters())
    273345
    """

    def __init__(self, width: int | None = None, norm: Norm = "batch") -> None:
        if width is not None and width < 1:
            raise ValueError(f"width {width} was given, expected 1 or more")
        self.width, self.norm = width, norm

    def generator(self, latent: int) -> nn.Module:
        """From latent channels to an image."""
        w = self.width or latent
        shapes = ((latent, 32 * w, 5, 1, 0), (32 * w, 16 * w, 5, 1, 1), (16 * w, w, 4, 2, 1))
        layers: list[nn.Module] = [nn.Unflatten(1, (latent, 1, 1))]
        for shape in shapes:
            layers += [nn.ConvTranspose2d(*shape), nn.BatchNorm2d(shape[1]), nn.ReLU()]
        net = nn.Sequential(*layers, nn.ConvTranspose2d(w, 1, 4, 2, 1), nn.Tanh())
        return net.to(memory_format=torch.channels_last)

    def discriminator(self, latent: int) -> nn.Module:
        """From an image to its score."""
        w = self.width or latent
        shapes = ((1, w, 4, 2, 1), (w, 16 * w, 4, 2, 1), (16 * w, 32 * w, 5, 1, 1), (32 * w, w, 5, 1, 0))
        layers: list[nn.Module] = []
        for shape in shapes:
            layers += [nn.Conv2d(*shape), *_norm(self.norm, shape[1]), nn.LeakyReLU(_SLOPE)]
        net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(w, 1), nn.Flatten(0))
        return net.to(memory_format=torch.channels_last)


def _perceptron(sizes: Sequence[int], dropout: float) -> list[nn.Module]:
    """The layers of a perceptron, linear at its output."""
    *hidden, output = pairwise(sizes)
    layers: list[nn.Module] = []
    for shape in hidden:
        layers += [nn.Linear(*shape), nn.LeakyReLU(_SLOPE), *([nn.Dropout(dropout)] if dropout else [])]
    return [*layers, nn.Linear(*output)]


def _norm(kind: Norm, channels: int) -> list[nn.Module]:
    """What standardises channels, if anything does."""
    made: dict[Norm, list[nn.Module]] = {
        "batch": [nn.BatchNorm2d(channels)],
        "layer": [nn.GroupNorm(1, channels)],
        "none": [],
    }
    return made[kind]
