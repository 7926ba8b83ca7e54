"""Ensembles of networks."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """M networks, trained each for itself and averaged: x ↦ (1/M) Σ_m f_m(x).

    With each member on a bootstrap sample of its own this is bagging (Breiman, Machine Learning 24, 1996).

    Args:
        members: the networks f_m.

    Shapes:
        in evaluation: (B, d) → (B, k), the average;
        in training: (B, M, d), the m-th column for the m-th member, or (B, d) for all → (B, M, k).
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        """The average, or in training what each member says."""
        own = x.unbind(dim=1) if x.dim() == 3 else [x] * len(self.members)
        outputs = torch.stack([member(inputs) for member, inputs in zip(self.members, own, strict=True)], dim=1)
        return outputs if self.training else outputs.mean(dim=1)
