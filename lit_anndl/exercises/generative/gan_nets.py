"""Pairs of nets for generative adversarial networks, as settings of a run."""

from abc import ABC, abstractmethod

from jsonargparse.typing import ClosedUnitInterval, PositiveInt
from torch import nn

from lit_anndl.nets import adversarial_nets
from lit_anndl.nets.adversarial_nets import Norm


class AdversarialNets(ABC):
    """How a generator and a discriminator of images are made; subclasses are exchangeable."""

    @abstractmethod
    def generator(self, latent: int) -> nn.Module:
        """(B, latent) → images (B, 1, 28, 28) in (-1, 1)."""

    @abstractmethod
    def discriminator(self, latent: int) -> nn.Module:
        """Images (B, 1, 28, 28) in [-1, 1] → scores (B,), before a sigmoid if there is one."""


class FullyConnectedNets(AdversarialNets):
    """Multilayer perceptrons, of 1 463 312 and 1 460 225 parameters for 10 latent values.

    Args:
        hidden: units per hidden layer of the generator; the discriminator has the same in reverse.
        dropout: probability of zeroing a hidden unit of the discriminator, in training.
    """

    def __init__(
        self,
        hidden: list[PositiveInt] = [256, 512, 1024],  # noqa: B006  # jsonargparse shows it
        dropout: ClosedUnitInterval = 0.3,
    ) -> None:
        self.hidden, self.dropout = list(map(int, hidden)), float(dropout)

    def generator(self, latent: int) -> nn.Module:
        """latent - hidden - 784."""
        return adversarial_nets.fully_connected_generator(latent, self.hidden)

    def discriminator(self, latent: int) -> nn.Module:
        """784 - hidden in reverse - 1."""
        return adversarial_nets.fully_connected_discriminator(self.hidden[::-1], self.dropout)


class ConvolutionalNets(AdversarialNets):
    """Convolutions and their transposes, after DCGAN.

    Args:
        width: w, of 32 w, 16 w and w channels; null for as many as there are latent values, as the course has it. A
            step's cost grows as its square.
        norm: what standardises the discriminator's channels: batch, layer (as a gradient penalty needs it), or none.
    """

    def __init__(self, width: PositiveInt | None = None, norm: Norm = "batch") -> None:
        self.width, self.norm = width, norm

    def generator(self, latent: int) -> nn.Module:
        """latent×1×1 - 32 w×5×5 - 16 w×7×7 - w×14×14 - 1×28×28."""
        return adversarial_nets.convolutional_generator(latent, int(self.width or latent))

    def discriminator(self, latent: int) -> nn.Module:
        """1×28×28 - w×14×14 - 16 w×7×7 - 32 w×5×5 - w×1×1 - 1."""
        return adversarial_nets.convolutional_discriminator(int(self.width or latent), self.norm)
