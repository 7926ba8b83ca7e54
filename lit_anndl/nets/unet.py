"""A U-shaped convolutional network that is told a time."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

_GROUPS = 8
_LONGEST_PERIOD = 10_000


def time_features(time: Tensor, number: int) -> Tensor:
    """Sines and cosines of a time in [0, 1] at geometrically spread frequencies: (B,) → (B, number), an even number.

    As positions are told to a transformer (Vaswani et al., NeurIPS 2017), of 1000 positions.
    """
    half = torch.arange(number // 2, device=time.device, dtype=torch.float32)
    angles = 1000 * time[:, None].float() * torch.exp(-math.log(_LONGEST_PERIOD) * half / (number // 2))
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class ResidualBlock(nn.Module):
    """x + f(x, time): two 3 x 3 convolutions after group normalization and SiLU, the time added in between.

    Args:
        inputs: channels.
        outputs: channels.
        features: of the time.
    """

    def __init__(self, inputs: int, outputs: int, features: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(_GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.time = nn.Linear(features, outputs)
        last = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.second = nn.Sequential(nn.GroupNorm(_GROUPS, outputs), nn.SiLU(), _zeroed(last))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(B, inputs, height, width) and (B, features) → (B, outputs, height, width)."""
        h = self.first(x) + self.time(time)[:, :, None, None]
        result: Tensor = self.skip(x) + self.second(h)
        return result


class UNet(nn.Module):
    """Images to halved resolutions and back, with the features of each handed over (Ronneberger et al., MICCAI 2015).

    They are added to those on the way back, rather than put beside them, and channels are changed before the resolution
    is doubled: convolutions at full resolution are what takes the time.

    Args:
        channels: at each resolution, multiples of 8, the first that of the images.
        features: of the time.
        middle: residual blocks at the lowest resolution, where they cost least.

    Shapes: images (B, 1, height, width), divisible so often by 2, and times in [0, 1] (B,) → (B, 1, height, width),
    zeros at first.

    Raises:
        ValueError: channels that cannot be normalised in groups.

    >>> UNet((8, 16))(torch.rand(2, 1, 8, 8), torch.rand(2)).abs().max().item()
    0.0
    """

    def __init__(self, channels: Sequence[int] = (32, 64, 128), features: int = 128, middle: int = 2) -> None:
        super().__init__()
        if not channels or any(each % _GROUPS for each in channels):
            raise ValueError(f"channels {list(channels)} were given, expected multiples of {_GROUPS}")
        self.features = features
        self.time = nn.Sequential(nn.Linear(features, features), nn.SiLU(), nn.Linear(features, features), nn.SiLU())
        first, last = channels[0], channels[-1]
        pairs = list(pairwise(channels))
        self.enter = nn.Conv2d(1, first, 3, padding=1)
        self.down = nn.ModuleList(ResidualBlock(each, each, features) for each in channels[:-1])
        self.halve = nn.ModuleList(nn.Conv2d(here, below, 3, stride=2, padding=1) for here, below in pairs)
        self.middle = nn.ModuleList(ResidualBlock(last, last, features) for _ in range(middle))
        self.widen = nn.ModuleList(nn.Conv2d(below, here, 1) for here, below in pairs)
        self.up = nn.ModuleList(ResidualBlock(each, each, features) for each in channels[:-1])
        leave = nn.Conv2d(first, 1, 3, padding=1)
        self.leave = nn.Sequential(nn.GroupNorm(_GROUPS, first), nn.SiLU(), _zeroed(leave))

    def forward(self, images: Tensor, time: Tensor) -> Tensor:
        """What is predicted of noisy images."""
        told = self.time(time_features(time, self.features).to(images.dtype))
        x = self.enter(images)
        handed: list[Tensor] = []
        for block, halve in zip(self.down, self.halve, strict=True):
            handed.append(x := block(x, told))
            x = halve(x)
        for block in self.middle:
            x = block(x, told)
        for block, widen in zip(reversed(self.up), reversed(self.widen), strict=True):
            x = block(interpolate(widen(x), scale_factor=2.0) + handed.pop(), told)
        result: Tensor = self.leave(x)
        return result


def _zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """A layer whose outputs are 0 at first."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
