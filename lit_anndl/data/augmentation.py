"""Random distortions of images, on the device that holds them."""

import math

import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample


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

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Distorted images: (B, C, H, W) → (B, C, H, W), a function of the generator's state."""
        shape = (6, len(images))
        draws = 2 * torch.rand(shape, generator=generator, device=images.device, dtype=images.dtype) - 1  # (6, B)
        angle = math.radians(self.rotation) * draws[0]
        wide, high = (self.scale * draws[1:3]).exp()
        slant = self.shear * draws[3]
        size = torch.tensor([images.shape[3], images.shape[2]], device=images.device, dtype=images.dtype)
        x, y = self.shift * draws[4:6] * (2 / size).unsqueeze(1)  # in the grid's units an image is 2 wide
        cos, sin = angle.cos(), angle.sin()
        rows = [wide * cos, slant * wide * cos - high * sin, x, wide * sin, slant * wide * sin + high * cos, y]
        maps = torch.stack(rows, dim=1).unflatten(1, (2, 3))  # rotation · scale · shear, beside the translation
        grid = affine_grid(maps, list(images.shape), align_corners=False)
        distorted = grid_sample(images, grid, align_corners=False)
        if self.share == 1:
            return distorted
        chosen = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) < self.share
        return torch.where(chosen, distorted, images)
