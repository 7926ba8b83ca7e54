"""Classifiers that begin as the inference of a deep Boltzmann machine."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lit_anndl.nets.deep_boltzmann import DBM


class MeanFieldInput(NamedTuple):
    """An image v (B, visible), and the means μ₂ of h₂ that the machine infers from it (B, second)."""

    visible: Tensor
    second: Tensor


class MeanFieldClassifier(nn.Module):
    """(v, μ₂) ↦ h₁ = σ(W₁ᵀv + W₂μ₂ + a₁) ↦ h₂ = σ(W₂ᵀh₁ + a₂) ↦ class scores.

    With the machine's own weights it repeats a step of mean-field inference; from there on all weights are free, those
    from μ₂ to h₁ and from h₁ to h₂ apart. Fine-tuning may use the inferred means, or ignore them (Salakhutdinov &
    Hinton, Deep Boltzmann Machines, AISTATS 2009, section 3.3).

    Args:
        visible: units of v.
        first: units of h₁.
        second: units of h₂.
        classes: how many there are.

    Shapes: → (B, classes).
    """

    def __init__(self, visible: int, first: int, second: int, classes: int) -> None:
        super().__init__()
        self.lower = nn.Linear(visible, first)
        self.feedback = nn.Linear(second, first, bias=False)
        self.upper = nn.Linear(first, second)
        self.readout = nn.Linear(second, classes)

    @torch.no_grad()
    def begin_as(self, dbm: DBM) -> None:
        """Takes over the weights of a machine; the readout's, which it has none of, become 0."""
        self.lower.weight.copy_(dbm.lower.T)
        self.lower.bias.copy_(dbm.first_bias)
        self.feedback.weight.copy_(dbm.upper)
        self.upper.weight.copy_(dbm.upper.T)
        self.upper.bias.copy_(dbm.second_bias)
        for parameter in self.readout.parameters():
            parameter.zero_()

    def hidden(self, inputs: MeanFieldInput) -> Tensor:
        """h₂: (B, second)."""
        first = (self.lower(inputs.visible) + self.feedback(inputs.second)).sigmoid()
        second: Tensor = self.upper(first).sigmoid()
        return second

    def forward(self, inputs: MeanFieldInput) -> Tensor:
        """The class scores."""
        scores: Tensor = self.readout(self.hidden(inputs))
        return scores
