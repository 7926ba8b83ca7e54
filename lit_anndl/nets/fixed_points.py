"""All fixed points of a small Hopfield network, found exactly rather than waited for."""

from dataclasses import dataclass
from itertools import product
from typing import Literal

import torch
from torch import Tensor

from lit_anndl.nets.hopfield import Hopfield

MOST_UNITS = 8
"""There are 3^N patterns of saturation to try."""

_Kind = Literal["attractor", "saddle", "repeller", "marginal"]


@dataclass(frozen=True)
class FixedPoint:
    """A state that an update leaves as it is.

    Args:
        state: (N,).
        kind: attractor, all directions contract; saddle, some do; repeller, none does; marginal, linear terms do
            not tell.
        radius: the largest |eigenvalue| of the update's derivative, diag(f'(Ws + b)) W.
        margin: by how much the saturated units' fields exceed what keeps them saturated; infinite without any.
    """

    state: Tensor
    kind: _Kind
    radius: float
    margin: float


def fixed_points(net: Hopfield, tolerance: float = 1e-9) -> list[FixedPoint]:
    """The isolated fixed points of s ← f(Ws + b), in the order of their patterns of saturation.

    With satlins: a set of saturated units at σ_i = ±1 leaves a linear system for the others,
    (I - W_AA) s_A = W_AS σ_S + b_A. A solution is a fixed point if it stays within (-1, 1) and if the saturated
    units' fields keep them there, σ_i (Ws + b)_i ≥ 1. The eigenvalues of W_AA, and zeros for the saturated units,
    are those of the update's derivative. With sign, corners whose units agree with their fields.

    Args:
        net: of at most 8 units.
        tolerance: of the comparisons.

    Raises:
        ValueError: the network is larger.
    """
    weights, bias = net.weights.double().cpu(), net.bias.double().cpu()
    if (units := len(bias)) > MOST_UNITS:
        raise ValueError(f"fixed points are found exactly up to {MOST_UNITS} units; the network has {units}")
    values = (-1, 0, 1) if net.transfer == "satlins" else (-1, 1)
    threshold = 1.0 if net.transfer == "satlins" else 0.0
    candidates = (torch.tensor(pattern, dtype=torch.float64) for pattern in product(values, repeat=units))
    found = (_examine(weights, bias, candidate, threshold, tolerance) for candidate in candidates)
    return [point for point in found if point]


def _examine(weights: Tensor, bias: Tensor, pattern: Tensor, threshold: float, tolerance: float) -> FixedPoint | None:
    """The fixed point with a pattern of saturation (-1, 0 for unsaturated, 1), if there is one."""
    active = pattern == 0
    inner = weights[active][:, active]
    system = torch.eye(len(inner), dtype=torch.float64) - inner
    if len(inner) and torch.linalg.matrix_rank(system) < len(inner):
        return None  # none or a continuum, not an isolated one
    state = pattern.clone()
    state[active] = torch.linalg.solve(system, (weights @ pattern + bias)[active])
    field = (weights @ state + bias)[~active]
    margin = float((pattern[~active] * field - threshold).min()) if len(field) else float("inf")
    if (state[active].abs() >= 1 - tolerance).any() or margin < -tolerance:
        return None
    eigenvalues = torch.linalg.eigvalsh(inner).abs()  # W is symmetric
    return FixedPoint(
        state, _kind_of(eigenvalues, bool(len(field)), margin, tolerance), float(max(eigenvalues, default=0)), margin
    )


def _kind_of(eigenvalues: Tensor, saturated: bool, margin: float, tolerance: float) -> _Kind:
    """What small deviations do: those of saturated units vanish at once, if they have a margin."""
    if margin <= tolerance or ((eigenvalues - 1).abs() <= tolerance).any():
        return "marginal"
    growing = eigenvalues > 1
    if not growing.any():
        return "attractor"
    return "repeller" if growing.all() and not saturated else "saddle"
