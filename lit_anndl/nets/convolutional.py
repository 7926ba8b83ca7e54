"""Convolutional networks whose sizes follow from their layers."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lit_anndl.nets.cnn_architectures import Architecture
from lit_anndl.nets.convolution_arithmetic import output_size
from lit_anndl.nets.dropout import Dropout
from lit_anndl.nets.mlp import ACTIVATIONS, Activation

NONDECREASING: frozenset[Activation] = frozenset(
    ["relu", "leaky_relu", "elu", "selu", "softplus", "sigmoid", "tanh"],
)
"""Activations φ that max pooling may come before: max φ(xᵢ) = φ(max xᵢ), of fewer values."""


class Layer(NamedTuple):
    """A convolution or pooling, and the sizes of what it hands on."""

    name: str
    kernel: int
    stride: int
    channels: int
    height: int
    width: int


class CNN(nn.Sequential):
    """A convolutional network of an architecture, a module per layer, named by what it is.

    Max pooling comes before an activation that does not decrease, though it is published after it: the numbers are the
    same, and so are the gradients, also where values of a window are equal. For of equal maxima the first gets the
    gradient either way, and where ReLU makes more values equal, it makes them zero and their gradients too.

    Args:
        architecture: the layers.
        classes: outputs.
        image: channels, height and width of the images.

    Attributes:
        layers: the convolutions and poolings in order, the image first, with the sizes of what they hand on.

    Shapes: (B, *image) → logits (B, classes).

    Raises:
        ValueError: a convolution or pooling is larger than what it gets; of a setting there are not as many as of
            convolutions; one is of layers that there are none of; the last pooling's size is given without it, or
            leaves more than it gets.

    >>> CNN(Architecture([16, 32], pooling=2)).layers[-1]
    Layer(name='pool2', kernel=2, stride=2, channels=32, height=5, width=5)
    """

    def __init__(self, architecture: Architecture, classes: int = 10, image: Sequence[int] = (1, 28, 28)) -> None:
        super().__init__()
        for setting in architecture.without_effect():
            value = getattr(architecture, setting)
            raise ValueError(f"{setting}: {value} was given, expected none, for there are no layers that it is of")
        self.layers = [Layer("image", 1, 1, *image)]
        for number, layer in enumerate(architecture.convolutions(), start=1):
            before = self.layers[-1].channels
            self._append("kernels", f"conv{number}", layer.channels, layer.kernel, layer.stride, layer.padding)
            convolution = nn.Conv2d(before, layer.channels, layer.kernel, layer.stride, layer.padding)
            self.add_module(f"conv{number}", convolution)
            if architecture.batch_norm:
                self.add_module(f"norm{number}", nn.BatchNorm2d(layer.channels))
            following = [(f"activation{number}", ACTIVATIONS[architecture.activation]())]
            if layer.pooling > 1:
                self._append("pooling", f"pool{number}", layer.channels, layer.pooling, layer.pooling)
                place = 0 if architecture.activation in NONDECREASING else 1
                following.insert(place, (f"pool{number}", nn.MaxPool2d(layer.pooling)))
            if layer.dropout:
                following.append((f"dropout{number}", Dropout(layer.dropout)))
            for name, module in following:
                self.add_module(name, module)
        self._add_head(architecture, classes)
        self.to(memory_format=torch.channels_last)  # same numbers, half the time on CPUs and tensor cores

    def _append(self, setting: str, name: str, channels: int, kernel: int, stride: int, padding: int = 0) -> None:
        """Notes what a layer hands on, whose window a setting says."""
        *_, before, height, width = self.layers[-1]
        try:
            sizes = [output_size(size, kernel, stride, padding) for size in (height, width)]
        except ValueError as error:
            raise ValueError(f"{setting}: {name} gets {before}×{height}×{width}: {error}") from error
        self.layers.append(Layer(name, kernel, stride, channels, *sizes))

    def _add_head(self, architecture: Architecture, classes: int) -> None:
        """The last pooling and the perceptron."""
        if architecture.last_pooling:
            pooling = {"average": nn.AdaptiveAvgPool2d, "max": nn.AdaptiveMaxPool2d}[architecture.last_pooling]
            *_, channels, height, width = self.layers[-1]
            size = architecture.last_size
            if size > min(height, width):
                raise ValueError(
                    f"last_size: {size} was given for {height}×{width}, expected {min(height, width)} at most"
                )
            kernel = _largest_window(height, size)
            self.layers.append(Layer("last_pool", kernel, height // size, channels, size, size))
            self.add_module("last_pool", pooling(size))
        elif architecture.last_size > 1:
            raise ValueError(f"last_size: {architecture.last_size} was given without last_pooling, expected both")
        self.add_module("flatten", nn.Flatten())
        sizes = [math.prod(self.layers[-1][3:]), *architecture.head, classes]
        for number, (inputs, units) in enumerate(pairwise(sizes), start=1):
            if number > 1:
                if architecture.head_batch_norm:
                    self.add_module(f"head_norm{number - 1}", nn.BatchNorm1d(inputs))
                self.add_module(f"head_activation{number - 1}", ACTIVATIONS[architecture.activation]())
            if architecture.head_dropout:
                self.add_module(f"head_dropout{number}", Dropout(architecture.head_dropout))
            self.add_module(f"dense{number}", nn.Linear(inputs, units))

    def __call__(self, images: Tensor) -> Tensor:
        """Class scores (logits) of a batch of images."""
        logits: Tensor = super().__call__(images)
        return logits


def _largest_window(values: int, windows: int) -> int:
    """The most values that one window of adaptive pooling takes: the i-th are ⌊i h / s⌋ to below ⌈(i + 1) h / s⌉.

    >>> _largest_window(7, 4), _largest_window(5, 4)
    (3, 2)
    """
    return max(-(-(i + 1) * values // windows) - i * values // windows for i in range(windows))
