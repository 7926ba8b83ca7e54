"""Random distortions of images, on the device that holds them."""

import math

import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

_SPACING = 6
"""Pixels at least between the points whose displacements are drawn, of an elastic distortion."""


class RandomAffine:
    """x(p) ↦ x(A p + t), with A and t drawn for each image: it is shifted, turned, stretched and slanted a little.

    Each is uniform between its bound's negative and itself. What comes from outside is 0, values between pixels are
    interpolated linearly, which blurs: where sharp images are to be learnt too, leave a share of them as they are.

    Args:
        shift: bound on either coordinate's translation, pixels.
        rotation: bound on the angle, degrees.
        scale: bound on the logarithm of either axis' factor, 0.1 for 10 % or so.
        shear: bound on the horizontal slant, pixels per pixel.
        share: probability that an image is distorted.
    """

    def __init__(
        self,
        shift: NonNegativeFloat = 0.0,
        rotation: NonNegativeFloat = 0.0,
        scale: NonNegativeFloat = 0.0,
        shear: NonNegativeFloat = 0.0,
        share: ClosedUnitInterval = 1.0,
    ) -> None:
        self.shift = float(shift)
        self.rotation = float(rotation)
        self.scale = float(scale)
        self.shear = float(shear)
        self.share = float(share)

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Distorted images: (B, C, H, W) → (B, C, H, W), a function of the generator's state."""
        distorted = grid_sample(images, self._grid(images, generator), align_corners=False)
        if self.share == 1:
            return distorted
        chosen = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) < self.share
        return torch.where(chosen, distorted, images)

    def _grid(self, images: Tensor, generator: Generator) -> Tensor:
        """Where each pixel is looked up, in a frame of 2 by 2: (B, H, W, 2)."""
        shape = (6, len(images))
        draws = 2 * torch.rand(shape, generator=generator, device=images.device, dtype=images.dtype) - 1  # (6, B)
        angle = math.radians(self.rotation) * draws[0]
        wide, high = (self.scale * draws[1:3]).exp()
        slant = self.shear * draws[3]
        x, y = self.shift * draws[4:6] * _pixel(images).unsqueeze(1)
        cos, sin = angle.cos(), angle.sin()
        rows = [wide * cos, slant * wide * cos - high * sin, x, wide * sin, slant * wide * sin + high * cos, y]
        maps = torch.stack(rows, dim=1).unflatten(1, (2, 3))  # rotation · scale · shear, beside the translation
        return affine_grid(maps, list(images.shape), align_corners=False)


class ElasticDistortion(RandomAffine):
    """x(p) ↦ x(A p + t + u(p)): beside what RandomAffine does, each stroke is bent a little, smoothly.

    The displacement u is drawn normally at points at least 6 pixels apart (6.75 for digits), anew for each image, and
    interpolated between them by cubic convolution. Source: Simard, Steinkraus & Platt, Best Practices for Convolutional
    Neural Networks, ICDAR 2003, who smooth a displacement of each pixel by a Gaussian instead.

    Args:
        displacement: standard deviation of either coordinate's displacement at these points, pixels.
        shift: bound on either coordinate's translation, pixels.
        rotation: bound on the angle, degrees.
        scale: bound on the logarithm of either axis' factor, 0.1 for 10 % or so.
        shear: bound on the horizontal slant, pixels per pixel.
        share: probability that an image is distorted.
    """

    def __init__(
        self,
        displacement: NonNegativeFloat = 1.0,
        shift: NonNegativeFloat = 0.0,
        rotation: NonNegativeFloat = 0.0,
        scale: NonNegativeFloat = 0.0,
        shear: NonNegativeFloat = 0.0,
        share: ClosedUnitInterval = 1.0,
    ) -> None:
        super().__init__(shift, rotation, scale, shear, share)
        self.displacement = float(displacement)

    def _grid(self, images: Tensor, generator: Generator) -> Tensor:
        """Where each pixel is looked up, in a frame of 2 by 2: (B, H, W, 2)."""
        grid = super()._grid(images, generator)
        number, _, *sides = images.shape
        points = (number, 2, *(side // _SPACING + 1 for side in sides))
        draws = torch.randn(points, generator=generator, device=images.device, dtype=images.dtype)
        pixels = self.displacement * interpolate(draws, sides, mode="bicubic", align_corners=True)
        return grid + pixels.movedim(1, 3) * _pixel(images)


def _pixel(images: Tensor) -> Tensor:
    """The width and the height of a pixel, where the frame of images (B, C, H, W) is 2 by 2."""
    return 2 / torch.tensor([images.shape[3], images.shape[2]], device=images.device, dtype=images.dtype)
