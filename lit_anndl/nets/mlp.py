"""Multilayer perceptrons."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn


class MLP(nn.Sequential):
    """A multilayer perceptron: x ↦ W_L φ(… φ(W_1 x + b_1) …) + b_L, linear at the output.

    Args:
        sizes: units per layer, input and output included, e.g. ``(2, 50, 50, 1)``.
        activation: φ, made anew for each hidden layer.

    Shapes: (…, sizes[0]) → (…, sizes[-1]).

    >>> sum(p.numel() for p in MLP((2, 50, 50, 1)).parameters())
    2751
    """

    def __init__(self, sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), activation()]
        super().__init__(*layers[:-1])

    def __call__(self, x: Tensor) -> Tensor:
        """Evaluates the network at the rows of x."""
        output: Tensor = super().__call__(x)
        return output
