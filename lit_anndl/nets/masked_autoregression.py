"""Autoregressive flows: each value scaled and shifted by what came before it."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

_LARGEST_LOG_SCALE = 3.0
"""Bound on the logarithm by which one step scales."""


class MaskedAutoregression(nn.Module):
    """z_i = (x_i - μ_i) exp(-s_i) with μ_i, s_i functions of the x before it in an order, by one masked hidden layer.

    log |det| = -Σ s. All μ and s of given x take one pass; x of given z takes one value after the other, but what a
    value adds to the hidden layer is added once, so that it costs as many operations (MADE: Germain, Gregor, Murray &
    Larochelle, ICML 2015; flows: Papamakarios, Pavlakou & Murray, NeurIPS 2017).

    Args:
        inputs: D.
        hidden: units of the hidden layer; each sees the values up to a place, and these are spread evenly.
        reverse: whether the order is from the last value to the first.

    Shapes: (B, D) → (B, D) and log-determinants (B,).
    """

    input_mask: Tensor
    output_mask: Tensor

    def __init__(self, inputs: int, hidden: int, *, reverse: bool = False) -> None:
        super().__init__()
        self.reverse = reverse
        places = torch.arange(1, inputs + 1)
        seen = torch.arange(hidden) * max(1, inputs - 1) // hidden + 1  # the place up to which a unit sees the values
        self.register_buffer("input_mask", (seen[:, None] >= places).float(), persistent=False)
        self.register_buffer("output_mask", (places[:, None] > seen).float().repeat(2, 1), persistent=False)
        self.input, self.output = nn.Linear(inputs, hidden), nn.Linear(hidden, 2 * inputs)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z and log |det ∂z/∂x|."""
        x = self._ordered(x)
        h = linear(x, self.input.weight * self.input_mask, self.input.bias).relu()
        mean, log_scale = self._of(linear(h, self.output.weight * self.output_mask, self.output.bias))
        return self._ordered((x - mean) * (-log_scale).exp()), -log_scale.sum(dim=1)

    def inverse(self, z: Tensor) -> Tensor:
        """x."""
        z = self._ordered(z)
        number = z.shape[1]
        into = self.input.weight * self.input_mask
        out = (self.output.weight * self.output_mask).unflatten(0, (2, number))  # of means, of scales
        bias = self.output.bias.unflatten(0, (2, number))
        before, x = self.input.bias.expand(len(z), -1), torch.zeros_like(z)
        for place in range(number):
            mean, log_scale = self._of(linear(before.relu(), out[:, place], bias[:, place]))
            x[:, place : place + 1] = z[:, place : place + 1] * log_scale.exp() + mean
            before = torch.addr(before, x[:, place], into[:, place]) if place + 1 < number else before
        return self._ordered(x)

    def _of(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """μ and s, bounded."""
        mean, log_scale = outputs.chunk(2, dim=1)
        return mean, _LARGEST_LOG_SCALE * (log_scale / _LARGEST_LOG_SCALE).tanh()

    def _ordered(self, x: Tensor) -> Tensor:
        """From the first value of the order to the last, and back."""
        return x.flip(1) if self.reverse else x


class AutoregressiveFlow(nn.Module):
    """Several autoregressive steps, in turn from the first value on and from the last.

    Args:
        side: of the square images, of one channel.
        steps: how many.
        hidden: units in each.

    Shapes: (B, 1, side, side) → latents (B, side²) and log-determinants (B,).
    """

    def __init__(self, side: int, steps: int = 5, hidden: int = 512) -> None:
        super().__init__()
        self.side = side
        self.steps = nn.ModuleList(
            MaskedAutoregression(side**2, hidden, reverse=bool(number % 2)) for number in range(steps)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z and log |det ∂z/∂x|."""
        z, log_det = x.flatten(1), x.new_zeros(len(x))
        for step in self.steps:
            z, change = step(z)
            log_det = log_det + change
        return z, log_det

    def inverse(self, z: Tensor) -> Tensor:
        """x."""
        for step in reversed(self.steps):
            z = step.inverse(z)  # type: ignore[operator]  # a step is a MaskedAutoregression
        images: Tensor = z.unflatten(1, (1, self.side, self.side))
        return images
