"""Restricted Boltzmann machines of few hidden units, whose states are gone through one by one."""

from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import softplus

from lit_anndl.nets.binary_units import draw
from lit_anndl.nets.boltzmann import RBM

MOST_ENUMERATED = 20
"""Hidden units whose states are summed over one by one."""
_STATES_AT_ONCE = 4096


class EnumeratedStates:
    """All states of h, with log Σ_v exp(-E(v, h)) = aᵀh + Σ_i log(1 + exp(b_i + (Wh)_i)) of each, in double precision.

    Args:
        rbm: the machine, as it is now.

    Raises:
        ValueError: there are more than 20 hidden units.
    """

    def __init__(self, rbm: RBM) -> None:
        self.rbm, self.hidden = rbm, len(rbm.hidden_bias)
        if self.hidden > MOST_ENUMERATED:
            raise ValueError(
                f"{self.hidden} hidden units were given, expected {MOST_ENUMERATED} at most for all their states"
            )

    @property
    def log_z(self) -> float:
        """log Z, exactly."""
        return float(self._log_weights.logsumexp(dim=0))

    @torch.no_grad()
    def sample(self, number: int, generator: torch.Generator) -> Tensor:
        """Independent samples of v (number, visible), from states of h that are drawn among all."""
        shares = self._log_weights.softmax(dim=0)
        h = self._written_out(torch.multinomial(shares, number, replacement=True, generator=generator))
        return draw(self.rbm.visible_probability(h.to(self.rbm.weight)), generator)

    @cached_property
    @torch.no_grad()
    def _log_weights(self) -> Tensor:
        """Those of the states, in the order of binary numbers: (2^hidden,)."""
        weight, visible, hidden = (each.double() for each in self.rbm.parameters())
        states = torch.arange(2**self.hidden, device=weight.device).split(_STATES_AT_ONCE)
        parts = []
        for h in map(self._written_out, states):
            parts.append(h @ hidden + softplus(h @ weight.T + visible).sum(dim=1))
        return torch.cat(parts)

    def _written_out(self, numbers: Tensor) -> Tensor:
        """The states that are these numbers in binary: (n) → (n, hidden)."""
        return (numbers.unsqueeze(1) >> torch.arange(self.hidden, device=numbers.device) & 1).double()
