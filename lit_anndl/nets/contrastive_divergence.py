"""Gradients of a restricted Boltzmann machine's log-likelihood, approximated by short Gibbs chains.

∂ log p(v) / ∂W = ⟨v hᵀ⟩_data - ⟨v hᵀ⟩_model, and alike for the biases. The model's mean is taken over chains that
begin at the data and run k steps (CD-k, Hinton, Neural Computation 14, 2002), or that go on from batch to batch
(persistent CD, Tieleman, ICML 2008).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lit_anndl.nets.binary_units import draw
from lit_anndl.nets.boltzmann import BinaryLayer


class Statistics(NamedTuple):
    """What the gradient compares: states v (B, visible), and the hidden units' p(h = 1 | v) then (B, hidden)."""

    visible: Tensor
    hidden: Tensor


@torch.no_grad()
def run_chains(layer: BinaryLayer, v: Tensor, steps: int, generator: torch.Generator | None = None) -> Tensor:
    """The chains' states (B, visible) after so many Gibbs steps."""
    for _ in range(steps):
        v, _ = layer.gibbs_step(v, generator)
    return v


@torch.no_grad()
def run_from_hidden(layer: BinaryLayer, h: Tensor, steps: int, generator: torch.Generator | None = None) -> Statistics:
    """v ~ p(v | h), h ~ p(h | v), so many times, from hidden states (B, hidden): v at the end, and p(h = 1 | v).

    Raises:
        ValueError: fewer than one step.
    """
    if steps < 1:
        raise ValueError(f"steps: {steps} was given, expected 1 or more")
    for step in range(steps):
        v = draw(layer.visible_probability(h), generator)
        mean = layer.hidden_probability(v)
        if step < steps - 1:
            h = draw(mean, generator)
    return Statistics(v, mean)


def restart_chains(h: Tensor, probability: float, generator: torch.Generator | None = None) -> Tensor:
    """States of chains (B, units), each of which with a probability is noise, where units are on or off alike.

    Nothing is drawn with a probability of 0.
    """
    if not probability:
        return h
    restarted = draw(torch.full((len(h), 1), probability, device=h.device), generator)
    return torch.where(restarted.bool(), draw(torch.full_like(h, 0.5), generator), h)


@torch.no_grad()
def leave_gradient(layer: BinaryLayer, data: Statistics, model: Statistics, centred: bool = False) -> None:
    """Leaves the gradient of -log p, approximated, in the parameters' `grad`.

    Centred, it is that of E(v, h) = -(v - μ)ᵀW(h - λ) - bᵀ(v - μ) - aᵀ(h - λ) with the means of data and chains as
    offsets, in the parameters of the usual E (Montavon & Müller 2012; Melchior, Fischer & Wiskott, JMLR 17, 2016):
    better conditioned, and the same whether a pixel is called 0 or 1.
    """
    positive, negative = len(data.visible), len(model.visible)
    visible = model.visible.mean(dim=0) - data.visible.mean(dim=0)
    hidden = model.hidden.mean(dim=0) - data.hidden.mean(dim=0)
    if centred:
        means = [(one.mean(dim=0) + other.mean(dim=0)) / 2 for one, other in zip(data, model, strict=True)]
        data, model = (Statistics(*(x - mean for x, mean in zip(each, means, strict=True))) for each in (data, model))
    signed = torch.cat([data.hidden / -positive, model.hidden / negative])  # one product for both means
    weight = torch.cat([data.visible, model.visible]).T @ signed
    if centred:
        visible = visible - weight @ means[1]
        hidden = hidden - means[0] @ weight
    layer.weight.grad, layer.visible_bias.grad, layer.hidden_bias.grad = weight, visible, hidden
