"""Pairs of nets for generative adversarial networks, as settings of a run."""

from abc import ABC, abstractmethod

from jsonargparse.typing import ClosedUnitInterval, PositiveInt
from torch import nn

from lit_anndl.nets import adversarial_nets
from lit_anndl.nets.adversarial_nets import Norm
from lit_anndl.runtime.errors import InputError


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
        channels: c, of the generator at 5×5, 7×7 and 14×14, and of the discriminator in reverse; null for 32 z, 16 z
            and z with z latents, as the course has it. A step's cost grows as the product of the first two.
        norm: what standardises the discriminator's channels: batch, layer (as a gradient penalty needs it), or none.
        outer_norm: whether the discriminator's first and last convolutions are standardised, too, as the course has
            it; DCGAN leaves its input and output as they are.

    Raises:
        InputError: there are not three numbers of channels.
    """

    def __init__(
        self,
        channels: list[PositiveInt] | None = None,
        norm: Norm = "batch",
        outer_norm: bool = False,
    ) -> None:
        if channels is not None and len(channels) != 3:
            raise InputError(
                f"model.nets.channels: {list(channels)} was given, expected three numbers, such as [128,64,32]"
            )
        self.channels, self.norm, self.outer_norm = channels, norm, outer_norm

    def generator(self, latent: int) -> nn.Module:
        """latent×1×1 - c₁×5×5 - c₂×7×7 - c₃×14×14 - 1×28×28."""
        return adversarial_nets.convolutional_generator(latent, self._channels(latent))

    def discriminator(self, latent: int) -> nn.Module:
        """1×28×28 - c₃×14×14 - c₂×7×7 - c₁×5×5 - c₃×1×1 - 1."""
        return adversarial_nets.convolutional_discriminator(self._channels(latent)[::-1], self.norm, self.outer_norm)

    def _channels(self, latent: int) -> tuple[int, int, int]:
        """Those given, or the course's."""
        first, second, third = self.channels or (32 * latent, 16 * latent, latent)
        return int(first), int(second), int(third)
