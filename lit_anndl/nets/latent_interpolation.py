"""Ways from one latent point to another."""

from typing import Literal

import torch
from torch import Tensor

Path = Literal["linear", "spherical"]
"""Along a straight line, or along a great circle."""
_PARALLEL = 1e-6
"""Below this sine of the angle between two points the great circle is the straight line."""


def interpolate(start: Tensor, end: Tensor, weights: Tensor, path: Path = "linear") -> Tensor:
    """Points between latent points, at some shares of the way.

    linear: (1 - λ) a + λ b. spherical: (sin((1 - λ) θ) a + sin(λ θ) b) / sin θ, with θ the angle between a and b; of
    points that are normal in many dimensions it keeps the norm, where a line leads through points of too small a norm,
    as none that a decoder was trained on (Shoemake, SIGGRAPH 1985; White 2016, arXiv:1609.04468).

    Args:
        start: a (pairs, latent).
        end: b (pairs, latent).
        weights: λ, 0 for a and 1 for b: (n,), the same in every pair, or (pairs, n).
        path: which of the two.

    Returns:
        (pairs, n, latent).

    >>> a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> [interpolate(a, b, torch.tensor([0.5]), path).norm().item() > 0.9 for path in ("linear", "spherical")]
    [False, True]
    """
    a, b, share = start.unsqueeze(1), end.unsqueeze(1), torch.atleast_2d(weights.to(start)).unsqueeze(2)
    if path == "linear":
        return torch.lerp(a, b, share)
    cosine = torch.cosine_similarity(a, b, dim=-1).clamp(-1, 1).unsqueeze(-1)
    angle = cosine.acos()
    sine = angle.sin()
    arc = (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / sine.clamp(min=_PARALLEL)
    return torch.where(sine < _PARALLEL, torch.lerp(a, b, share), arc)
