"""Restricted Boltzmann machines of binary units."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, softplus

from lit_anndl.nets.binary_units import draw


class BinaryLayer(nn.Module):
    """Two layers of binary units that are independent given each other: p(h | v) = σ(Wᵀv + a), p(v | h) = σ(Wh + b).

    Args:
        visible: units of v, pixels.
        hidden: units of h.
        scale: standard deviation of the initial weights; biases are 0.

    Attributes:
        weight: W, (visible, hidden).
        visible_bias: b, (visible,).
        hidden_bias: a, (hidden,).

    Shapes: v (B, visible), h (B, hidden).
    """

    def __init__(self, visible: int, hidden: int, scale: float = 0.01) -> None:
        super().__init__()
        self.weight = nn.Parameter(scale * torch.randn(visible, hidden))
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))

    def hidden_input(self, v: Tensor) -> Tensor:
        """a + Wᵀv, the log-odds of the hidden units: (B, hidden)."""
        return linear(v, self.weight.T, self.hidden_bias)

    def visible_input(self, h: Tensor) -> Tensor:
        """b + Wh, the log-odds of the visible units: (B, visible)."""
        return linear(h, self.weight, self.visible_bias)

    def hidden_probability(self, v: Tensor) -> Tensor:
        """p(h = 1 | v): (B, hidden)."""
        return self.hidden_input(v).sigmoid()

    def visible_probability(self, h: Tensor) -> Tensor:
        """p(v = 1 | h): (B, visible)."""
        return self.visible_input(h).sigmoid()

    def gibbs_step(self, v: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """v ↦ h ~ p(h | v) ↦ v' ~ p(v | h): v' and p(v' = 1 | h), of which the last is smoother to look at."""
        h = draw(self.hidden_probability(v), generator)
        probability = self.visible_probability(h)
        return draw(probability, generator), probability

    def forward(self, v: Tensor) -> Tensor:
        """Reconstructions: p(v = 1 | h) of the mean h: (B, visible)."""
        return self.visible_probability(self.hidden_probability(v))


class RBM(BinaryLayer):
    """p(v, h) = exp(-E(v, h)) / Z with E(v, h) = -vᵀWh - bᵀv - aᵀh, v and h binary (Smolensky 1986; Hinton 2002).

    >>> rbm = RBM(3, 2)
    >>> v, h = torch.tensor([[1.0, 0.0, 1.0]]), torch.tensor([[1.0, 1.0]])
    >>> torch.allclose(rbm.energy(v, h), -rbm.weight[[0, 2]].sum())
    True
    """

    def energy(self, v: Tensor, h: Tensor) -> Tensor:
        """E(v, h): (B,)."""
        return -((v @ self.weight) * h).sum(dim=-1) - v @ self.visible_bias - h @ self.hidden_bias

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = -log Σ_h exp(-E(v, h)) = -bᵀv - Σ_j log(1 + exp(a_j + (Wᵀv)_j)): (B,)."""
        return -(v @ self.visible_bias) - softplus(self.hidden_input(v)).sum(dim=-1)
