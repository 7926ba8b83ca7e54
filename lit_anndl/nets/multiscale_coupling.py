"""Affine couplings of image channels at several scales: an invertible map that is as cheap one way as the other."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pixel_shuffle, pixel_unshuffle

_LARGEST_LOG_SCALE = 2.0
"""Bound on the logarithm by which one coupling scales, without which a few images decide how training goes."""
_FARTHEST = 10.0
"""Bound on what a coupling's network sees, twice what images lead to. A network goes on linearly beyond what it knows:
without it, one coupling after the other doubled an unusual image, to 5000 bits per dimension."""


class AffineCoupling(nn.Module):
    """(a, b) ↦ (a, b · exp(s(a)) + t(a)), a and b halves of the channels, s and t of a convolutional network.

    log |det| = Σ s(a). The network sees 10 tanh(a / 10), nearly a but for values that no image leads to; its last layer
    begins at 0, and the map at the identity (Dinh, Sohl-Dickstein & Bengio, ICLR 2017; Kingma & Dhariwal, NeurIPS
    2018).

    Args:
        channels: an even number.
        hidden: channels in the network.

    Shapes: (B, channels, height, width) → likewise and log-determinants (B,).
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        last = nn.Conv2d(hidden, channels, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.net = nn.Sequential(
            nn.Conv2d(channels // 2, hidden, 3, padding=1), nn.ReLU(), nn.Conv2d(hidden, hidden, 1), nn.ReLU(), last
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z and log |det ∂z/∂x|."""
        a, b = x.chunk(2, dim=1)
        log_scale, shift = self._of(a)
        return torch.cat([a, b * log_scale.exp() + shift], dim=1), log_scale.sum(dim=(1, 2, 3))

    def inverse(self, z: Tensor) -> Tensor:
        """x."""
        a, b = z.chunk(2, dim=1)
        log_scale, shift = self._of(a)
        return torch.cat([a, (b - shift) * (-log_scale).exp()], dim=1)

    def _of(self, a: Tensor) -> tuple[Tensor, Tensor]:
        """s(a), bounded, and t(a)."""
        log_scale, shift = self.net(_FARTHEST * (a / _FARTHEST).tanh()).chunk(2, dim=1)
        return _LARGEST_LOG_SCALE * (log_scale / _LARGEST_LOG_SCALE).tanh(), shift


class ChannelMixing(nn.Module):
    """x ↦ Wx at every place, a convolution of one pixel, which begins at a rotation (Kingma & Dhariwal 2018).

    log |det| = height · width · log |det W|.

    Args:
        channels: of x.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linalg.qr(torch.randn(channels, channels)).Q)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z and log |det ∂z/∂x|."""
        log_det = torch.linalg.slogdet(self.weight).logabsdet * (x.shape[2] * x.shape[3])
        return conv2d(x, self.weight[:, :, None, None]), log_det.expand(len(x))

    def inverse(self, z: Tensor) -> Tensor:
        """x."""
        return conv2d(z, torch.linalg.inv(self.weight)[:, :, None, None])


class MultiscaleCoupling(nn.Module):
    """Images ↦ latents of as many values: at each scale 2 x 2 pixels become four channels, which are coupled.

    Half of the channels leave after each scale but the last, as latents; the others go on to the next (Dinh et al.
    2017, section 3.6). Where no number of pixels could be halved so often, there is no such map.

    Args:
        side: of the square images, of one channel.
        scales: how many.
        steps: at each scale, of mixing and coupling.
        hidden: channels in the couplings' networks.

    Shapes: (B, 1, side, side) → latents (B, side²) and log-determinants (B,).

    Raises:
        ValueError: the side is not divisible so often by 2.

    >>> z, log_det = MultiscaleCoupling(4, 2, 1, 8)(torch.rand(3, 1, 4, 4))
    >>> tuple(z.shape), tuple(log_det.shape)
    ((3, 16), (3,))
    """

    def __init__(self, side: int, scales: int = 2, steps: int = 6, hidden: int = 64) -> None:
        super().__init__()
        if side % 2**scales:
            raise ValueError(f"images of {side} x {side} cannot be halved {scales} times")
        self.side = side
        self.scales = nn.ModuleList(_steps(2 ** (scale + 2), steps, hidden) for scale in range(scales))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z and log |det ∂z/∂x|."""
        latents: list[Tensor] = []
        log_det = x.new_zeros(len(x))
        for number, scale in enumerate(self.scales, start=1):
            x = pixel_unshuffle(x, 2)  # (B, C, H, W) → (B, 4C, H/2, W/2)
            x = x.contiguous(memory_format=torch.channels_last)  # the same numbers, in three quarters of the time
            for layer in scale:  # type: ignore[attr-defined]  # a list of modules is iterable
                x, change = layer(x)
                log_det = log_det + change
            if number < len(self.scales):
                x, leaving = x.chunk(2, dim=1)
                latents.append(leaving.flatten(1))
        return torch.cat([*latents, x.flatten(1)], dim=1), log_det

    def inverse(self, z: Tensor) -> Tensor:
        """x."""
        *leaving, last = z.split(self._sizes(), dim=1)
        x = last.unflatten(1, self._shape(len(self.scales)))
        for number in range(len(self.scales), 0, -1):
            if number < len(self.scales):
                x = torch.cat([x, leaving[number - 1].unflatten(1, x.shape[1:])], dim=1)
            for layer in reversed(self.scales[number - 1]):  # type: ignore[call-overload]
                x = layer.inverse(x)
            x = pixel_shuffle(x, 2)
        images: Tensor = x
        return images

    def _shape(self, scale: int) -> tuple[int, int, int]:
        """Channels, height and width at a scale, counted from 1, before half of the channels leave."""
        side = self.side // 2**scale
        return 2 ** (scale + 1), side, side

    def _sizes(self) -> list[int]:
        """How many latents leave after each scale."""
        sizes = [channels * height * width for channels, height, width in map(self._shape, range(1, len(self.scales)))]
        channels, height, width = self._shape(len(self.scales))
        return [size // 2 for size in sizes] + [channels * height * width]


def _steps(channels: int, number: int, hidden: int) -> nn.ModuleList:
    """Mixing and coupling in turn."""
    return nn.ModuleList(
        layer for _ in range(number) for layer in (ChannelMixing(channels), AffineCoupling(channels, hidden))
    )
