"""Hopfield networks: patterns stored in closed form as fixed points, and the dynamics that recalls them."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

_Transfer = Literal["satlins", "sign"]


def lssm(patterns: Tensor, tau: float = 10.0, step: float = 0.15) -> tuple[Tensor, Tensor]:
    """Weights and bias of a linear system in a saturated mode that stores patterns.

    Li, Michel & Porod, IEEE Transactions on Circuits and Systems 36(11), 1989, synthesis procedure 5.2: with U of
    the singular value decomposition of the differences p_q - p_Q, k their rank, T₊ and T₋ the projections on U's
    first k and on its other columns, T = T₊ - τT₋ and c = p_Q - T p_Q, the system ds/dt = Ts + c on the hypercube is
    sampled with step h: W = exp(hT) = eʰ T₊ + exp(-τh) T₋ and b = ∫₀ʰ exp(ρT) dρ · c. All patterns become fixed
    points of s ← satlins(Ws + b), and with them whatever corner is an affine combination of them.

    Args:
        patterns: (Q, N), values ±1, Q ≥ 2.
        tau: τ > 0, how fast states outside the patterns' affine hull die out.
        step: h > 0; weights grow as eʰ.

    Returns:
        W (N, N), symmetric, and b (N,), both float64.

    Raises:
        ValueError: there are fewer than two patterns; a value is not ±1.
    """
    _check_binary(patterns)
    if len(patterns) < 2:
        raise ValueError(f"LSSM stores differences of patterns: {len(patterns)} was given, expected two or more")
    patterns = patterns.double()
    last = patterns[-1]
    differences = (patterns[:-1] - last).T
    basis, singular, _ = torch.linalg.svd(differences, full_matrices=False)
    basis = basis[:, singular > 1e-10 * singular[0].clamp(min=1)]
    inside = basis @ basis.T
    outside = torch.eye(len(last), dtype=torch.float64, device=last.device) - inside
    grow, decay = (torch.tensor(rate * step, dtype=torch.float64).exp().item() for rate in (1, -tau))
    bias = (1 - decay) * (1 + 1 / tau) * (outside @ last)  # c = (1 + τ) T₋ p_Q: T₊ c = 0
    return grow * inside + decay * outside, bias


def hebb(patterns: Tensor) -> tuple[Tensor, Tensor]:
    """Hebb's rule: W = Σ_q p_q p_qᵀ / (QN) with a zero diagonal, b = 0 (Hopfield, PNAS 79, 1982).

    Args:
        patterns: (Q, N), values ±1.

    Returns:
        W (N, N) and b (N,), both float64.

    Raises:
        ValueError: a value is not ±1.
    """
    _check_binary(patterns)
    patterns = patterns.double()
    weights = patterns.T @ patterns / patterns.numel()
    return weights.fill_diagonal_(0), torch.zeros_like(weights[0])


def _check_binary(patterns: Tensor) -> None:
    """Refuses patterns of other values than ±1."""
    if (other := patterns[patterns.abs() != 1]).numel():
        raise ValueError(
            f"patterns: a value of {other[0]:g} was given, expected ±1: memories are corners of the hypercube"
        )


def _sign(field: Tensor, states: Tensor, size: Tensor) -> Tensor:
    """The sign of the field; a unit whose field is zero keeps that of its state.

    Zero is what rounding may have made of it: `size` is the sum of the absolute values that the field is the sum of.
    """
    rounding = 16 * torch.finfo(field.dtype).eps * size
    return torch.where(field.abs() <= rounding, _binary(states), field.sign().to(states))


class Hopfield(nn.Module):
    """A recurrent network s ← f(Ws + b) with symmetric W: f = satlins, clipping to [-1, 1], or f = sign.

    Energy E(s) = -½ sᵀWs - bᵀs, and + ½ Σs² with satlins, the integral of its inverse. With f = sign and a zero
    diagonal it never rises when units are updated one after the other (Hopfield 1982).

    Args:
        units: N.
        transfer: f.

    Shapes:
        states (…, N), energies (…).
    """

    weights: Tensor
    bias: Tensor

    def __init__(self, units: int, transfer: _Transfer = "satlins") -> None:
        super().__init__()
        self.transfer = transfer
        self.register_buffer("weights", torch.zeros(units, units))
        self.register_buffer("bias", torch.zeros(units))

    def store(self, weights: Tensor, bias: Tensor) -> None:
        """Takes over weights and bias, in the precision of the network."""
        self.weights.copy_(weights)
        self.bias.copy_(bias)

    def forward(self, states: Tensor) -> Tensor:
        """A synchronous update: all units at once."""
        field = states @ self.weights + self.bias  # W is symmetric
        return self.activate(field, states, self.weights.abs().sum(0) + self.bias.abs())

    def sweep(self, states: Tensor, order: Tensor) -> Tensor:
        """An asynchronous update: the units one after the other, in an order (N,) common to all states."""
        states = states.clone()
        for unit in order.tolist():
            field = states @ self.weights[unit] + self.bias[unit]
            size = self.weights[unit].abs().sum() + self.bias[unit].abs()
            states[..., unit] = self.activate(field, states[..., unit], size)
        return states

    def activate(self, field: Tensor, states: Tensor, size: Tensor) -> Tensor:
        """States after an update, from the fields Ws + b, and the sizes of what these are sums of."""
        return field.clamp(-1, 1) if self.transfer == "satlins" else _sign(field, states, size)

    def energy(self, states: Tensor) -> Tensor:
        """E(s)."""
        energy = -(states @ (0.5 * self.weights) * states).sum(-1) - states @ self.bias
        return energy + 0.5 * states.square().sum(-1) if self.transfer == "satlins" else energy


class DenseAssociativeMemory(nn.Module):
    """A Hopfield network of order n: E(s) = -Σ_q (p_q·s / N)ⁿ on states ±1 (Krotov & Hopfield, NeurIPS 2016).

    A unit takes the value that gives the lower energy when all others stay. Order 2 is Hebb's rule; order n stores
    about N^(n-1) patterns. Other states than ±1 are taken by their signs.

    Args:
        patterns: how many, Q.
        units: N.
        order: n ≥ 2.

    Shapes:
        states (…, N), energies (…).
    """

    patterns: Tensor

    def __init__(self, patterns: int, units: int, order: int = 3) -> None:
        super().__init__()
        self.order = order
        self.register_buffer("patterns", torch.zeros(patterns, units))

    def store(self, patterns: Tensor) -> None:
        """Takes over patterns of values ±1.

        Raises:
            ValueError: a value is another.
        """
        _check_binary(patterns)
        self.patterns.copy_(patterns)

    def forward(self, states: Tensor) -> Tensor:
        """A synchronous update: all units at once."""
        states = _binary(states)
        own, common = self._slopes(states @ self.patterns.T)
        size = own.abs().sum(-1, keepdim=True) + common.abs()
        return _sign(own @ self.patterns.double() + states * common, states, size)

    def sweep(self, states: Tensor, order: Tensor) -> Tensor:
        """An asynchronous update: the units one after the other, in an order (N,) common to all states."""
        states = _binary(states)
        overlaps = states @ self.patterns.T
        for unit in order.tolist():
            column, before = self.patterns[:, unit], states[..., unit].clone()
            own, common = self._slopes(overlaps)
            size = own.abs().sum(-1) + common.squeeze(-1).abs()
            states[..., unit] = _sign(own @ column.double() + before * common.squeeze(-1), before, size)
            overlaps = overlaps + (states[..., unit] - before).unsqueeze(-1) * column
        return states

    def energy(self, states: Tensor) -> Tensor:
        """E(s)."""
        return -self._power(_binary(states) @ self.patterns.T).sum(-1).to(states)

    def _slopes(self, overlaps: Tensor) -> tuple[Tensor, Tensor]:
        """What makes up the energy that unit i saves by being +1 rather than -1, Σ_q p_qi own_q + s_i common.

        With m = p·s, unit i left out leaves m - 1 where it agrees with the pattern, m + 1 where it does not; so the
        saving is (m)ⁿ - (m - 2)ⁿ or (m + 2)ⁿ - (m)ⁿ times p_i. In double precision: it is a second difference.
        """
        here = self._power(overlaps)
        agreeing = here - self._power(overlaps - 2)
        differing = self._power(overlaps + 2) - here
        return (agreeing + differing) / 2, (agreeing - differing).sum(-1, keepdim=True) / 2

    def _power(self, overlaps: Tensor) -> Tensor:
        """(overlap / N)ⁿ: without the division large orders overflow."""
        return (overlaps.double() / self.patterns.shape[-1]) ** self.order


def _binary(states: Tensor) -> Tensor:
    """The signs of states, that of 0 being +1."""
    return torch.where(states < 0, -1.0, 1.0).to(states)


Memory = Hopfield | DenseAssociativeMemory
Update = Callable[[Tensor], Tensor]


def asynchronous(memory: Memory, generator: torch.Generator) -> Update:
    """All units one after the other, in a new random order each time."""

    def update(states: Tensor) -> Tensor:
        return memory.sweep(states, torch.randperm(states.shape[-1], generator=generator))

    return update
