"""What can be measured of handwriting: thickness and slant of strokes, width and height of digits."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

_PAPER, _INK = 0.2, 0.8
"""Grey levels up to one are paper, a haze over which would decide the moments, those from the other on are ink."""
_CUT = 0.02
"""Share of the ink that lies beyond each end of an extent."""
_REACH = 60
"""Pixels from the centre beyond which ink of a sheared image is counted as if it lay there."""
_LEAST = 1e-6
_AT_ONCE = 2000


class Strokes(NamedTuple):
    """Of each image (n,): pixels, and for the slant degrees, positive where the upper part leans to the right."""

    thickness: Tensor
    slant: Tensor
    width: Tensor
    height: Tensor


def stroke_measurements(images: Tensor) -> Strokes:
    """Thickness, slant, width and height of digits, grey on black (n, 1, side, side).

    What is measured is that of Morpho-MNIST (Castro et al., JMLR 20, 2019): the slant α is that of the second moments,
    tan α = -μ₁₁ / μ₀₂ with y downwards; height and width are the extents of the ink but for 2 % at each end, the width
    of the image sheared back by its slant. The thickness is 2 · area / perimeter, exact of a ring, by the sum of the
    ink and that of its gradient's norm, in place of the distance of a skeleton from the edge, which needs a threshold.
    """
    parts = [_measured(part) for part in images.split(_AT_ONCE)]
    return Strokes(*(torch.cat(each) for each in zip(*parts, strict=True)))


def _measured(images: Tensor) -> Strokes:
    ink = ((images[:, 0].double() - _PAPER) / (_INK - _PAPER)).clamp(0, 1)  # (n, side, side)
    y, x = torch.meshgrid(*(torch.arange(side).to(ink) for side in ink.shape[1:]), indexing="ij")
    mass = ink.sum(dim=(1, 2)).clamp(min=_LEAST)
    x, y = (places - (ink * places).sum(dim=(1, 2), keepdim=True) / mass[:, None, None] for places in (x, y))
    mu_11, mu_02 = ((ink * each).sum(dim=(1, 2)) for each in (x * y, y * y))
    tangent = -mu_11 / mu_02.clamp(min=_LEAST)
    upright = x + tangent[:, None, None] * y
    return Strokes(
        2 * ink.sum(dim=(1, 2)) / _perimeter(ink).clamp(min=_LEAST),
        tangent.atan().rad2deg(),
        _extent(upright, ink),
        _extent(y, ink),
    )


def _perimeter(ink: Tensor) -> Tensor:
    """The sum of the gradient's norm, each of four pixels: (n,). Blurred edges have it too (coarea formula)."""
    framed = pad(ink, (1, 1, 1, 1))
    across, down = framed.diff(dim=2), framed.diff(dim=1)
    gradient = (across[:, :-1] + across[:, 1:]) / 2, (down[:, :, :-1] + down[:, :, 1:]) / 2
    return torch.hypot(*gradient).sum(dim=(1, 2))


def _extent(places: Tensor, ink: Tensor) -> Tensor:
    """How far the ink reaches along a coordinate of its pixels, each of which is one wide: (n,)."""
    place = places.flatten(1).clamp(-_REACH, _REACH) + _REACH + 1
    left = place.floor()
    share, weight = place - left, ink.flatten(1)
    profile = weight.new_zeros(len(ink), 2 * _REACH + 4)
    profile.scatter_add_(1, left.long(), weight * (1 - share)).scatter_add_(1, left.long() + 1, weight * share)
    reached = pad(profile.cumsum(dim=1), (1, 0)) / profile.sum(dim=1, keepdim=True).clamp(min=_LEAST)
    return _where(reached, 1 - _CUT) - _where(reached, _CUT)


def _where(reached: Tensor, share: float) -> Tensor:
    """Where rising values (n, edges) reach one, between edges linearly."""
    after = (reached < share).sum(dim=1, keepdim=True).clamp(1, reached.shape[1] - 1)
    low, high = reached.gather(1, after - 1), reached.gather(1, after)
    return (after - 1 + ((share - low) / (high - low).clamp(min=_LEAST)).clamp(0, 1)).squeeze(1)  # 0 where no ink is
