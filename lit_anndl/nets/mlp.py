"""Multilayer perceptrons."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from lit_anndl.nets.dropout import Dropout
from lit_anndl.nets.noise import GaussianNoise
from lit_anndl.nets.standardize import Standardize

Activation = Literal["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus", "sigmoid", "tanh"]
"""What a hidden unit may apply; torch.nn says what each is."""

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


class MLP(nn.Sequential):
    """A multilayer perceptron: x ↦ W_L φ_{L-1}(… φ_1(W_1 x + b_1) …) + b_L, linear at the output.

    Args:
        sizes: units per layer, input and output included, e.g. ``(2, 50, 50, 1)``.
        activation: φ, one for all hidden layers or one for each.
        dropout: probability of zeroing a hidden unit, in training (Srivastava et al., JMLR 15, 2014).
        batch_norm: standardises each hidden layer's input to φ over the batch (Ioffe & Szegedy, ICML 2015).
        jitter: standard deviation of the noise added to x, in training.
        input_mean: what is subtracted from x (after the noise).
        input_std: what it is divided by then.
        glorot_gain: g, to draw weights from U(-a, a), a = g √(6 / (inputs + outputs of the layer)), and start from
            biases 0 (Glorot & Bengio, AISTATS 2010; g = 1 is what Keras does); None for torch's own start.

    Shapes: (B, sizes[0]) → (B, sizes[-1]).

    Raises:
        ValueError: there are not as many activations as hidden layers.

    >>> sum(p.numel() for p in MLP((2, 50, 50, 1)).parameters())
    2751
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Activation | Sequence[Activation] = "relu",
        *,
        dropout: float = 0.0,
        batch_norm: bool = False,
        jitter: float = 0.0,
        input_mean: float = 0.0,
        input_std: float = 1.0,
        glorot_gain: float | None = None,
    ) -> None:
        *hidden, output = pairwise(sizes)
        names = [activation] * len(hidden) if isinstance(activation, str) else activation
        if len(names) != len(hidden):
            raise ValueError(f"{len(names)} activations were given for {len(hidden)} hidden layers; expected as many")
        layers: list[nn.Module] = [GaussianNoise(jitter)] if jitter else []
        layers += [Standardize(input_mean, input_std)] if (input_mean, input_std) != (0, 1) else []
        for (inputs, units), name in zip(hidden, names, strict=True):
            layers += [nn.Linear(inputs, units), *([nn.BatchNorm1d(units)] if batch_norm else []), ACTIVATIONS[name]()]
            layers += [Dropout(dropout)] if dropout else []
        super().__init__(*layers, nn.Linear(*output))
        if glorot_gain is not None:
            self.init_xavier(glorot_gain)

    def __call__(self, x: Tensor) -> Tensor:
        """Evaluates the network at the rows of x."""
        output: Tensor = super().__call__(x)
        return output

    def init_xavier(self, gain: float) -> None:
        """Draws the weights anew."""
        for layer in self:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight, gain)
                nn.init.zeros_(layer.bias)
