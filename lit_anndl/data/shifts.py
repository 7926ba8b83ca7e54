"""Images that are shifted as a whole."""

import torch
from torch import Tensor
from torch.nn.functional import pad

LARGEST_SHIFT = 6
"""Pixels; digits are centred by mass, so that 9 % of the copies lose some ink at 3 pixels, 60 % at 6."""


def shifted(images: Tensor, pixels: int) -> Tensor:
    """Images (n, C, H, W) shifted left, right, up and down (4, n, C, H, W), zeros from outside; by none: (1, …).

    >>> shifted(torch.ones(1, 1, 2, 2), 1).sum(dim=(2, 3, 4)).flatten().tolist()
    [2.0, 2.0, 2.0, 2.0]
    """
    if pixels == 0:
        return images.unsqueeze(0)
    height, width = images.shape[2:]
    padded = pad(images, [pixels] * 4)
    corners = [(pixels, 2 * pixels), (pixels, 0), (2 * pixels, pixels), (0, pixels)]
    return torch.stack([padded[:, :, top : top + height, left : left + width] for top, left in corners])


def share_of_cut(images: Tensor, pixels: int) -> float:
    """The share of images (n, C, H, W), each shifted in four directions, that have lost some ink over a border.

    >>> share_of_cut(torch.ones(1, 1, 2, 2), 1)
    1.0
    """
    inked = images != 0
    return float((shifted(inked, pixels).sum(dim=(2, 3, 4)) < inked.sum(dim=(1, 2, 3))).double().mean())
