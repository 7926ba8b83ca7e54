"""How smoothly images change with the code: perceptual path length."""

from collections.abc import Callable

import torch
from torch import Tensor

_STEP = 1e-4


@torch.no_grad()
def perceptual_path_length(
    decode: Callable[[Tensor], Tensor],
    features: Callable[[Tensor], Tensor],
    start: Tensor,
    end: Tensor,
    generator: torch.Generator,
) -> float:
    """E |φ(g(z_{t+ε})) - φ(g(z_t))|² / ε², z_t = (1 - t) a + t b between codes a and b, t uniform, ε = 1e-4.

    Squared lengths of steps in the space of features φ, so that a jump between two kinds of images costs more than a
    slow change from one to the other (Karras, Laine & Aila, CVPR 2019, who take the features of VGG16).

    Args:
        decode: g, codes (n, latent) → images.
        features: φ, images → (n, d).
        start: a (n, latent), in double precision, or ε is lost in rounding.
        end: b (n, latent).
        generator: of t.

    >>> identity = torch.nn.Identity()
    >>> ways = torch.zeros(5, 2).double(), torch.ones(5, 2).double()
    >>> round(perceptual_path_length(identity, identity, *ways, torch.Generator()), 6)  # |(1, 1)|²
    2.0
    """
    t = torch.rand(len(start), 1, generator=generator, device=start.device, dtype=start.dtype) * (1 - _STEP)
    here, there = (features(decode(torch.lerp(start, end, share))) for share in (t, t + _STEP))
    return float((there - here).square().sum(dim=1).mean()) / _STEP**2
