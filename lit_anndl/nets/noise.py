"""Noise as a layer."""

import torch
from torch import Tensor, nn


class GaussianNoise(nn.Module):
    """x + σ N(0, 1) in training, x in evaluation.

    For small σ, training on jittered inputs penalises the gradient of the network (Bishop, Training with noise is
    equivalent to Tikhonov regularization, Neural Computation 7, 1995).

    Args:
        std: σ, in units of x.
    """

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        """Adds the noise: any shape."""
        return x + self.std * torch.randn_like(x) if self.training else x

    def extra_repr(self) -> str:
        """σ."""
        return f"std={self.std}"
