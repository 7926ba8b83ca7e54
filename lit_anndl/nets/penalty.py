"""Penalties on weights."""

from torch import Tensor, nn


class WeightPenalty:
    """λ₁ Σ|w| + λ₂ Σw² over the weights w of a network, biases left free.

    Args:
        net: the network.
        l1: λ₁ (the lasso's; it drives weights to zero).
        l2: λ₂ (ridge regression's, or weight decay).
    """

    def __init__(self, net: nn.Module, l1: float, l2: float) -> None:
        self.weights = [parameter for parameter in net.parameters() if parameter.dim() > 1]
        self.l1 = l1
        self.l2 = l2

    def __call__(self) -> Tensor:
        """The penalty now, a scalar."""
        absolute = sum((weight.abs().sum() for weight in self.weights), self.weights[0].new_zeros(()))
        squared = sum((weight.square().sum() for weight in self.weights), self.weights[0].new_zeros(()))
        return self.l1 * absolute + self.l2 * squared
