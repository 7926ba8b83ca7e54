"""Multilayer perceptrons of one shape side by side: one tensor program for all of them."""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from lit_anndl.nets.dropout import Dropout
from lit_anndl.nets.mlp import ACTIVATIONS, MLP
from lit_anndl.nets.noise import GaussianNoise
from lit_anndl.nets.standardize import Standardize

_LAYERS = (nn.Linear, nn.BatchNorm1d, Dropout, GaussianNoise, Standardize, *ACTIVATIONS.values())


class StackedMLP:
    """P perceptrons in training, each with weights, inputs and noise of its own.

    A layer's parameters are stacked along a first dimension, so that P matrix products are one call,
    y_p = x_p W_pᵀ + b_p: small nets are limited by the calls, not by the arithmetic.

    The networks keep tensors of their own: `gather` stacks these, `scatter` gives each network its share back. What a
    network learns does not depend on the others, bit for bit, as long as there are two or more: one matrix product
    may be rounded otherwise than several.

    Args:
        nets: P networks of one shape.
        generators: of noise and dropout; each serves an equal share of the networks, one after the other.

    Attributes:
        parameters: those of one network, in their order, each with the first dimension P.

    Raises:
        ValueError: the networks differ in shape, or have layers that cannot be stacked.
    """

    def __init__(self, nets: Sequence[MLP], generators: Sequence[Generator]) -> None:
        if others := [layer for net in nets for layer in net if not isinstance(layer, _LAYERS)]:
            raise ValueError(f"expected layers of perceptrons, not {others[0]}")
        if any(repr(net) != repr(nets[0]) for net in nets):
            raise ValueError("expected networks of one shape")
        self.nets = nets
        self.generators = generators
        self.parameters = [nn.Parameter(torch.stack(own)) for own in self._own()]

    @torch.no_grad()
    def gather(self) -> None:
        """Takes what the networks have now."""
        for stacked, own in zip(self.parameters, self._own(), strict=True):
            torch.stack(own, out=stacked)

    @torch.no_grad()
    def scatter(self) -> None:
        """Gives each network its parameters as they are now."""
        for stacked, own in zip(self.parameters, self._own(), strict=True):
            torch._foreach_copy_(own, stacked.unbind())

    def __call__(self, x: Tensor) -> Tensor:
        """What each network says of its own inputs, in training: (P, B, n) → (P, B, m)."""
        parameters = iter(self.parameters)
        for level, layer in enumerate(self.nets[0]):
            match layer:
                case nn.Linear():
                    x = affine(x, next(parameters), next(parameters))
                case nn.BatchNorm1d():
                    x = self._standardize(level, x, next(parameters), next(parameters))
                case Dropout():
                    x = x * self._draw(x, layer.scaled_mask)
                case GaussianNoise(std=std):
                    x = x + std * self._draw(x, _normal)
                case _:
                    x = layer(x)
        return x

    def _own(self) -> list[list[Tensor]]:
        """For each parameter of a network, that of every network."""
        return [list(own) for own in zip(*(net.parameters() for net in self.nets), strict=True)]

    def _standardize(self, level: int, x: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
        """Batch normalisation, network by network, so that each sums in the same order whatever stands beside it."""
        parts = zip(self.nets, x, weights, biases, strict=True)
        return torch.stack(
            [functional_call(net[level], {"weight": weight, "bias": bias}, own) for net, own, weight, bias in parts]
        )

    def _draw(self, like: Tensor, draw: Callable[[Tensor, Generator], Tensor]) -> Tensor:
        """Random numbers of a tensor's shape, each generator's own for its share."""
        shares = like.detach().chunk(len(self.generators))
        return torch.cat([draw(share, generator) for share, generator in zip(shares, self.generators, strict=True)])


def _normal(like: Tensor, generator: Generator) -> Tensor:
    """Normal numbers of a tensor's shape."""
    return torch.empty_like(like).normal_(generator=generator)


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x Wᵀ + b, of one layer or of stacked ones.

    Shapes: (B, n), (m, n), (m) → (B, m), or each with a first dimension P.
    """
    if weight.dim() == 2:
        return torch.addmm(bias, x, weight.t())
    return torch.baddbmm(bias.unsqueeze(1), x, weight.mT)
