"""Deep Boltzmann machines of two hidden layers."""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from lit_anndl.nets.binary_units import draw
from lit_anndl.nets.boltzmann import RBM, BinaryLayer


class States(NamedTuple):
    """Units of the three layers, or their means: v (B, visible), h₁ (B, first), h₂ (B, second)."""

    visible: Tensor
    first: Tensor
    second: Tensor


class DBM(nn.Module):
    """p(v, h₁, h₂) = exp(-E) / Z with E = -vᵀW₁h₁ - h₁ᵀW₂h₂ - bᵀv - a₁ᵀh₁ - a₂ᵀh₂, all units binary.

    Given h₁ the other two layers are independent of each other, and given these so are the units of h₁: it is a
    restricted Boltzmann machine between (v, h₂) and h₁, `as_rbm`, whose partition function is its own.
    Source: Salakhutdinov & Hinton, AISTATS 2009.

    Args:
        visible: units of v.
        first: units of h₁.
        second: units of h₂.
        scale: standard deviation of the initial weights; biases are 0.

    Attributes:
        lower: W₁, (visible, first).
        upper: W₂, (first, second).
        visible_bias: b, (visible,).
        first_bias: a₁, (first,).
        second_bias: a₂, (second,).
    """

    def __init__(self, visible: int, first: int, second: int, scale: float = 0.01) -> None:
        super().__init__()
        self.lower = nn.Parameter(scale * torch.randn(visible, first))
        self.upper = nn.Parameter(scale * torch.randn(first, second))
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.first_bias = nn.Parameter(torch.zeros(first))
        self.second_bias = nn.Parameter(torch.zeros(second))

    def energy(self, states: States) -> Tensor:
        """E(v, h₁, h₂): (B,)."""
        v, h1, h2 = states
        pairs = ((v @ self.lower) * h1).sum(dim=-1) + ((h1 @ self.upper) * h2).sum(dim=-1)
        return -pairs - v @ self.visible_bias - h1 @ self.first_bias - h2 @ self.second_bias

    def visible_probability(self, h1: Tensor) -> Tensor:
        """p(v = 1 | h₁)."""
        return linear(h1, self.lower, self.visible_bias).sigmoid()

    def first_probability(self, v: Tensor, h2: Tensor) -> Tensor:
        """p(h₁ = 1 | v, h₂)."""
        return (v @ self.lower + linear(h2, self.upper, self.first_bias)).sigmoid()

    def second_probability(self, h1: Tensor) -> Tensor:
        """p(h₂ = 1 | h₁)."""
        return linear(h1, self.upper.T, self.second_bias).sigmoid()

    def gibbs_step(self, states: States, generator: torch.Generator | None = None) -> States:
        """h₁ ~ p(h₁ | v, h₂), then v ~ p(v | h₁) and h₂ ~ p(h₂ | h₁)."""
        h1 = draw(self.first_probability(states.visible, states.second), generator)
        v = draw(self.visible_probability(h1), generator)
        h2 = draw(self.second_probability(h1), generator)
        return States(v, h1, h2)

    def mean_field(self, v: Tensor, steps: int) -> States:
        """The means μ₁, μ₂ of the factorised q(h₁, h₂ | v) by so many updates in turn, each of which raises the bound.

        μ₁ = σ(W₁ᵀv + W₂μ₂ + a₁), μ₂ = σ(W₂ᵀμ₁ + a₂); the first μ₁ is that of doubled input from below, for want of
        one from above.
        """
        once = v @ self.lower
        below = once + self.first_bias
        first = (below + once).sigmoid()
        second = self.second_probability(first)
        for _ in range(steps):
            first = (below + second @ self.upper.T).sigmoid()
            second = self.second_probability(first)
        return States(v, first, second)

    def bound(self, means: States) -> Tensor:
        """E_q[-E] + H(q) ≤ log Σ_h exp(-E(v, h)), for factorised q: minus log Z a bound on log p(v); (B,)."""
        entropy = _bernoulli_entropy(means.first).sum(dim=-1) + _bernoulli_entropy(means.second).sum(dim=-1)
        return entropy - self.energy(means)

    @torch.no_grad()
    def as_rbm(self) -> RBM:
        """The restricted machine between (v, h₂) and h₁."""
        visible, second = len(self.visible_bias), len(self.second_bias)
        with torch.random.fork_rng(devices=[]):  # its initial weights are not kept
            rbm = RBM(visible + second, len(self.first_bias)).to(self.lower)
        rbm.weight.copy_(torch.cat([self.lower, self.upper.T]))
        rbm.visible_bias.copy_(torch.cat([self.visible_bias, self.second_bias]))
        rbm.hidden_bias.copy_(self.first_bias)
        return rbm

    @torch.no_grad()
    def leave_gradient(self, data: States, model: States, centred: bool = False) -> None:
        """Leaves that of -log p in the parameters' `grad`, approximated by the data's means and the chains' states.

        Centred, it is that of an energy of the units minus their offsets, the means of data and chains, in the
        parameters of the usual one (Montavon & Müller, Deep Boltzmann Machines and the Centering Trick, 2012).
        """
        differences = [(chain.mean(dim=0) - own.mean(dim=0)) for own, chain in zip(data, model, strict=True)]
        offsets = [(chain.mean(dim=0) + own.mean(dim=0)) / 2 for own, chain in zip(data, model, strict=True)]
        if centred:
            data, model = (States(*(x - mean for x, mean in zip(each, offsets, strict=True))) for each in (data, model))
        lower, upper = (
            torch.addmm(chain.T @ chain_above, own.T, own_above, beta=1 / len(chain), alpha=-1 / len(own))
            for (own, own_above), (chain, chain_above) in zip(pairwise(data), pairwise(model), strict=True)
        )
        visible, first, second = differences
        if centred:
            mean, mean_1, mean_2 = offsets
            visible = visible - lower @ mean_1
            first = first - mean @ lower - upper @ mean_2
            second = second - mean_1 @ upper
        self.lower.grad, self.upper.grad = lower, upper
        self.visible_bias.grad, self.first_bias.grad, self.second_bias.grad = visible, first, second


class LayerAlone(BinaryLayer):
    """A layer of a deep machine before the next one is there: what comes from one side counts so often.

    For the first layer of two p(h | v) = σ(2 Wᵀv + a), p(v | h) = σ(Wh + b), as if the visible units were there twice;
    for the second p(h | v) = σ(Wᵀv + a), p(v | h) = σ(2 Wh + b). Together they are then one machine in which each half
    of h₁'s input comes from either side (Salakhutdinov & Hinton 2009, section 3.1).
    A layer alone has no energy.

    Args:
        visible: units below.
        hidden: units above.
        up: how often the units below count.
        down: how often those above.
        scale: standard deviation of the initial weights.
    """

    def __init__(self, visible: int, hidden: int, *, up: float, down: float, scale: float = 0.01) -> None:
        super().__init__(visible, hidden, scale)
        self.up, self.down = up, down

    def hidden_input(self, v: Tensor) -> Tensor:
        """up · Wᵀv + a."""
        return linear(v, self.up * self.weight.T, self.hidden_bias)

    def visible_input(self, h: Tensor) -> Tensor:
        """down · Wh + b."""
        return linear(h, self.down * self.weight, self.visible_bias)


@torch.no_grad()
def stack(first: LayerAlone, second: LayerAlone, dbm: DBM) -> None:
    """Makes a deep machine of two layers; of the biases of h₁, which both have, it takes the mean."""
    dbm.lower.copy_(first.weight)
    dbm.upper.copy_(second.weight)
    dbm.visible_bias.copy_(first.visible_bias)
    dbm.first_bias.copy_((first.hidden_bias + second.visible_bias) / 2)
    dbm.second_bias.copy_(second.hidden_bias)


def _bernoulli_entropy(p: Tensor) -> Tensor:
    """-p log p - (1 - p) log(1 - p), nats."""
    entropy: Tensor = torch.special.entr(p) + torch.special.entr(1 - p)
    return entropy
