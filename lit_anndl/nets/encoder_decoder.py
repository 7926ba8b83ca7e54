"""Encoders with their decoders."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from lit_anndl.nets.mlp import ACTIVATIONS, MLP, Activation

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
        glorot_gain: of the initial weights of all layers, see MLP; None for torch's own.

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
        glorot_gain: float | None = None,
    ) -> None:
        super().__init__()
        sizes = (inputs, *hidden, code)
        self.encoder = nn.Sequential(
            *MLP(sizes, activation, glorot_gain=glorot_gain), _CODE_ACTIVATIONS[code_activation]()
        )
        self.decoder = nn.Sequential(*MLP(sizes[::-1], activation, glorot_gain=glorot_gain), nn.Sigmoid())

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


class StackedAutoencoder(nn.Module):
    """A multilayer perceptron whose hidden layers are encoders too, each with a decoder of its own.

    h_0 = x, h_k = φ(W_k h_{k-1} + b_k), and a linear readout of h_L, the code. Layer k can be pretrained with the
    layers below it fixed: its decoder, g_k(h) = ψ_k(V_k h + c_k), is to give h_{k-1} back from h_k. ψ_1 is a sigmoid,
    for inputs in [0, 1]; above it is φ, which has made what is to come back (Bengio, Lamblin, Popovici & Larochelle,
    NIPS 19, 2007).

    Args:
        inputs: number of values.
        hidden: units per layer, the code's last.
        outputs: of the readout.
        activation: φ.
        glorot_gain: of the initial weights of all layers, see MLP; None for torch's own.

    Shapes: (B, …), `inputs` values each, → (B, outputs); `encode` likewise → (B, hidden[-1]).

    >>> net = StackedAutoencoder(784, [256, 64], 10)
    >>> [tuple(p.shape) for p in net.perceptron.parameters() if p.dim() == 2]
    [(256, 784), (64, 256), (10, 64)]
    >>> [tuple(p.shape) for p in net.decoders.parameters() if p.dim() == 2]
    [(784, 256), (256, 64)]
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        outputs: int,
        activation: Activation = "sigmoid",
        glorot_gain: float | None = None,
    ) -> None:
        super().__init__()
        sizes = (inputs, *hidden)
        self.perceptron = nn.Sequential(*MLP((*sizes, outputs), activation, glorot_gain=glorot_gain))
        self.decoders = nn.ModuleList(
            nn.Sequential(*MLP(mirrored, glorot_gain=glorot_gain), ACTIVATIONS[activation]() if k else nn.Sigmoid())
            for k, mirrored in enumerate(zip(hidden, sizes, strict=False))
        )

    @property
    def depth(self) -> int:
        """The number of hidden layers."""
        return len(self.decoders)

    def layer(self, k: int) -> nn.Sequential:
        """h_{k-1} ↦ h_k, counted from 1."""
        return self.perceptron[2 * (k - 1) : 2 * k]

    @property
    def readout(self) -> nn.Sequential:
        """h_L ↦ outputs."""
        return self.perceptron[2 * self.depth :]

    def encode(self, x: Tensor, depth: int | None = None) -> Tensor:
        """h_depth, the code unless another depth is given."""
        code: Tensor = self.perceptron[: 2 * (self.depth if depth is None else depth)](x.flatten(1))
        return code

    def decode(self, h: Tensor, k: int) -> Tensor:
        """What the decoder of layer k makes of h_k: h_{k-1}, as near as it can."""
        below: Tensor = self.decoders[k - 1](h)
        return below

    def forward(self, x: Tensor) -> Tensor:
        """The outputs."""
        outputs: Tensor = self.perceptron(x.flatten(1))
        return outputs
