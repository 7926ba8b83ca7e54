"""Nearest neighbours, and how two sets of points cover each other."""

from typing import NamedTuple

import torch
from torch import Tensor

_ROWS = 512
"""Points whose distances to all others are in memory at once."""


def nearest(queries: Tensor, points: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """The Euclidean distance to the k-th nearest point and the nearest point's index: (n,), (n,).

    Args:
        queries: (n, d).
        points: (m, d), m ≥ k.
        k: which neighbour.
    """
    distances, indices = [], []
    for rows in queries.split(_ROWS):
        found = torch.cdist(rows, points).topk(k, largest=False)
        distances.append(found.values[:, -1])
        indices.append(found.indices[:, 0])
    return torch.cat(distances), torch.cat(indices)


class Agreement(NamedTuple):
    """How far generated points lie where real ones do, and the other way round."""

    precision: float
    recall: float
    density: float
    coverage: float


def agreement(real: Tensor, generated: Tensor, k: int = 5) -> Agreement:
    """Precision and recall, density and coverage, by balls as large as the distance to the k-th nearest neighbour.

    With B(x) the ball around x that reaches to its k-th neighbour within x's own set, precision is the share of
    generated points in any B(real), recall that of real points in any B(generated) (Kynkäänniemi et al., NeurIPS 2019);
    density the mean number of B(real) that a generated point lies in, over k, and coverage the share of B(real) in
    which any generated point lies (Naeem et al., ICML 2020). Of two samples of one distribution and of one size density
    is about 1 and coverage about 1 - 2⁻ᵏ.

    Args:
        real: (n, d), n > k.
        generated: (m, d), m > k.
        k: neighbours that a ball reaches to, the point itself not counted.
    """
    around_real, around_generated = (nearest(points, points, k + 1)[0] for points in (real, generated))
    hits_of_real = torch.zeros(len(real), device=real.device)
    balls_around, recalled = [], torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for rows, radii in zip(generated.split(_ROWS), around_generated.split(_ROWS), strict=True):
        distances = torch.cdist(rows, real)
        inside = distances <= around_real
        balls_around.append(inside.sum(dim=1))
        hits_of_real += inside.sum(dim=0)
        recalled |= (distances <= radii[:, None]).any(dim=0)
    balls = torch.cat(balls_around).double()
    return Agreement(
        precision=float((balls > 0).double().mean()),
        recall=float(recalled.double().mean()),
        density=float(balls.mean()) / k,
        coverage=float((hits_of_real > 0).double().mean()),
    )
