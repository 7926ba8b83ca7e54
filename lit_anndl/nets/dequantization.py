"""Densities of images of 256 grey levels: continuous values that round to them, and logits of these."""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

LEVELS = 256
_Nats = TypeVar("_Nats", float, Tensor)


def bits_per_dimension(nats: _Nats, values: int) -> _Nats:
    """Bits for each of so many values, of nats for all of them.

    >>> bits_per_dimension(8 * math.log(2), 4)
    2.0
    """
    return nats / (values * math.log(2))


def grey_levels(images: Tensor) -> Tensor:
    """Images in [0, 1] as whole numbers from 0 to 255."""
    return (images * (LEVELS - 1)).round()


class UniformDequantization(nn.Module):
    """y = (level + u) / 256, u uniform: log p(level) ≥ E log p(y) - D log 256 (Theis, van den Oord & Bethge 2016)."""

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """y in [0, 1] (B, 1, height, width), and log q(u | image) = 0 (B,)."""
        u = torch.rand(images.shape, generator=generator, device=generator.device if generator else images.device)
        return (grey_levels(images) + u.to(images)) / LEVELS, images.new_zeros(len(images))


class VariationalDequantization(nn.Module):
    """u = σ(m + exp(s) ε), ε normal, m and s by a network of the image: the bound is E log p(y) - log q(u) - D log 256.

    The network learns with the density, and begins at nearly uniform noise (Ho et al., ICML 2019, of one affine step).

    Args:
        hidden: channels in the network.
    """

    _NEARLY_UNIFORM = math.log(1.6)  # of σ(1.6 ε), normal ε, the density is nearly 1

    def __init__(self, hidden: int = 16) -> None:
        super().__init__()
        last = nn.Conv2d(hidden, 2, 3, padding=1)
        nn.init.zeros_(last.weight)
        self.net = nn.Sequential(nn.Conv2d(1, hidden, 3, padding=1), nn.ReLU(), last)

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """y in [0, 1] (B, 1, height, width), and log q(u | image) (B,)."""
        epsilon = torch.randn(
            images.shape, generator=generator, device=generator.device if generator else images.device
        )
        epsilon = epsilon.to(images)
        mean, log_scale = self.net(images - 0.5).chunk(2, dim=1)
        log_scale = log_scale + self._NEARLY_UNIFORM
        logit = mean + log_scale.exp() * epsilon
        normal = -0.5 * (epsilon.square() + math.log(2 * math.pi)) - log_scale
        slope = logsigmoid(logit) + logsigmoid(-logit)  # log du/dlogit
        y = (grey_levels(images) + logit.sigmoid()) / LEVELS
        return y, (normal - slope).sum(dim=(1, 2, 3))


class LogitSpace(nn.Module):
    """y ↦ logit(α + (1 - 2α) y), from [0, 1] to all real numbers but the largest (Dinh et al. 2017).

    Args:
        alpha: α, 0.05 as published of images by couplings, 1e-6 of MNIST by autoregressive flows.
    """

    def __init__(self, alpha: float = 0.05) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and log |det| of the map (B,)."""
        x = (self.alpha + (1 - 2 * self.alpha) * y).logit()
        slope = math.log(1 - 2 * self.alpha) + softplus(x) + softplus(-x)
        return x, slope.sum(dim=(1, 2, 3))

    def inverse(self, x: Tensor) -> Tensor:
        """y, kept within [0, 1]."""
        return ((x.sigmoid() - self.alpha) / (1 - 2 * self.alpha)).clamp(0, 1)
