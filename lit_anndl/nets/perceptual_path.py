"""How smoothly images change with the code: perceptual path length."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lit_anndl.nets.latent_interpolation import Path, interpolate

_STEP = 1e-4


class PathSteps(NamedTuple):
    """Features at some point of each way, and a step further (n, d)."""

    here: Tensor
    there: Tensor

    @property
    def squared_speed(self) -> Tensor:
        """|φ(there) - φ(here)|² / ε²: (n,)."""
        return (self.there - self.here).square().sum(dim=1) / _STEP**2


@torch.no_grad()
def path_steps(
    decode: Callable[[Tensor], Tensor],
    features: Callable[[Tensor], Tensor],
    start: Tensor,
    end: Tensor,
    generator: torch.Generator,
    path: Path = "linear",
) -> PathSteps:
    """φ(g(z_t)) and φ(g(z_{t+ε})), z_t on the way from a to b, t uniform in each pair, ε = 1e-4.

    Args:
        decode: g, codes (n, latent) → images.
        features: φ, images → (n, d).
        start: a (n, latent), in double precision, or ε is lost in rounding.
        end: b (n, latent).
        generator: of t.
        path: which way.
    """
    t = torch.rand(len(start), 1, generator=generator, device=start.device, dtype=start.dtype) * (1 - _STEP)
    points = (interpolate(start, end, share, path).squeeze(1) for share in (t, t + _STEP))
    return PathSteps(*(features(decode(point)) for point in points))


def perceptual_path_length(
    decode: Callable[[Tensor], Tensor],
    features: Callable[[Tensor], Tensor],
    start: Tensor,
    end: Tensor,
    generator: torch.Generator,
) -> float:
    """E |φ(g(z_{t+ε})) - φ(g(z_t))|² / ε², z_t = (1 - t) a + t b between codes a and b, t uniform, ε = 1e-4.

    Squared lengths of steps in the space of features φ, so that a jump between two kinds of images costs more than a
    slow change from one to the other (Karras, Laine & Aila, CVPR 2019, who take the features of VGG16). Arguments: see
    `path_steps`.

    >>> identity = torch.nn.Identity()
    >>> ways = torch.zeros(5, 2).double(), torch.ones(5, 2).double()
    >>> round(perceptual_path_length(identity, identity, *ways, torch.Generator()), 6)  # |(1, 1)|²
    2.0
    """
    return float(path_steps(decode, features, start, end, generator).squared_speed.mean())
