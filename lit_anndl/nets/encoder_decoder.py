"""Encoders with their decoders."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from lit_anndl.nets.mlp import MLP, Activation

CodeActivation = Literal["relu", "sigmoid", "tanh", "identity"]
"""What a unit of the code may apply."""

_CODE_ACTIVATIONS: dict[CodeActivation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
}


class Autoencoder(nn.Module):
    """x ↦ g(f(x)): an encoder f to a code of few units, and its mirror image g back to values in (0, 1).

    f is a multilayer perceptron with units `inputs`, `hidden`, …, `code`, g one with the same in reverse and a sigmoid
    at the output (Rumelhart, Hinton & Williams 1986; deep ones: Hinton & Salakhutdinov, Science 313, 2006).

    Args:
        inputs: number of values.
        code: units of the code.
        hidden: units per hidden layer of the encoder.
        activation: what hidden units apply.
        code_activation: what the code's units apply.

    Shapes: (B, inputs) → (B, inputs); `encode` (B, inputs) → (B, code), `decode` (B, code) → (B, inputs).

    >>> [tuple(p.shape) for p in Autoencoder(784, 32).parameters()]
    [(32, 784), (32,), (784, 32), (784,)]
    """

    def __init__(
        self,
        inputs: int,
        code: int,
        hidden: Sequence[int] = (),
        activation: Activation = "relu",
        code_activation: CodeActivation = "relu",
    ) -> None:
        super().__init__()
        sizes = (inputs, *hidden, code)
        self.encoder = nn.Sequential(*MLP(sizes, activation), _CODE_ACTIVATIONS[code_activation]())
        self.decoder = nn.Sequential(*MLP(sizes[::-1], activation), nn.Sigmoid())

    def encode(self, x: Tensor) -> Tensor:
        """f(x)."""
        code: Tensor = self.encoder(x)
        return code

    def decode(self, code: Tensor) -> Tensor:
        """g(code)."""
        x: Tensor = self.decoder(code)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """g(f(x))."""
        return self.decode(self.encode(x))
