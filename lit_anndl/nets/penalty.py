"""Penalties on weights."""

from collections.abc import Iterable, Sequence

from torch import Tensor, nn


class WeightPenalty:
    """λ₁ Σ|w| + λ₂ Σw² over weights w; biases are left free.

    Args:
        weights: such as `weight_matrices` finds.
        l1: λ₁ (the lasso's; it drives weights to zero).
        l2: λ₂ (ridge regression's, or weight decay).
    """

    def __init__(self, weights: Sequence[Tensor], l1: float, l2: float) -> None:
        self.weights = weights
        self.l1 = l1
        self.l2 = l2

    def __call__(self) -> Tensor:
        """The penalty now, a scalar."""
        absolute = sum((weight.abs().sum() for weight in self.weights), self.weights[0].new_zeros(()))
        squared = sum((weight.square().sum() for weight in self.weights), self.weights[0].new_zeros(()))
        return self.l1 * absolute + self.l2 * squared


def weight_matrices(parameters: Iterable[nn.Parameter], stacked: bool = False) -> list[Tensor]:
    """The weights among the parameters of a network, or of several that are stacked along a first dimension."""
    return [parameter for parameter in parameters if parameter.dim() > 1 + stacked]
