"""Densities of images by invertible maps to normal latents."""

import math

import torch
from torch import Tensor, nn

from lit_anndl.nets.dequantization import LEVELS, LogitSpace, grey_levels

_AT_ONCE = 500
"""Images that are made of latents at once."""


class NormalizingFlow(nn.Module):
    """log p(y) = log N(z; 0, 1) + log |det ∂z/∂y|, z = f(logit(y)), y what an image of 256 levels was dequantized to.

    Source: Dinh, Sohl-Dickstein & Bengio, ICLR 2017; Papamakarios et al., JMLR 22, 2021.

    Args:
        transform: f, with its `inverse`: (B, 1, side, side) ↔ (B, side²), forwards with log-determinants (B,).
        dequantize: images ↦ y and log q of the noise.
        logit_space: y ↦ logits.

    Shapes: images (B, 1, side, side) in [0, 1] → (B, 2), see `forward`.
    """

    def __init__(self, transform: nn.Module, dequantize: nn.Module, logit_space: LogitSpace) -> None:
        super().__init__()
        self.transform, self.dequantize, self.logit_space = transform, dequantize, logit_space

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Two terms, nats (B, 2): a bound on log p of the logits; what makes of it one on log p of the 256 levels."""
        with torch.autocast(images.device.type, enabled=False):  # with three digits no map is inverted
            y, log_q = self.dequantize(images, generator)
            logits, slope = self.logit_space(y)
            z, log_det = self.transform(logits)
        normal = -0.5 * (z.square().sum(dim=1) + z.shape[1] * math.log(2 * math.pi))
        return torch.stack([normal + log_det - log_q, slope - z.shape[1] * math.log(LEVELS)], dim=1)

    def encode(self, images: Tensor) -> Tensor:
        """The latents of the middle of each grey level: (B, 1, side, side) → (B, side²)."""
        logits, _ = self.logit_space((grey_levels(images) + 0.5) / LEVELS)
        z: Tensor = self.transform(logits)[0]
        return z

    def decode(self, z: Tensor) -> Tensor:
        """Images of 256 levels in [0, 1]: (B, side²) → (B, 1, side, side)."""
        y = torch.cat([self.dequantized(part) for part in z.split(_AT_ONCE)])
        return (LEVELS * y).floor().clamp(max=LEVELS - 1) / (LEVELS - 1)

    def dequantized(self, z: Tensor) -> Tensor:
        """y in [0, 1], before it is rounded down to one of the levels."""
        y: Tensor = self.logit_space.inverse(self.transform.inverse(z))  # type: ignore[operator]
        return y
