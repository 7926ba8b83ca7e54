"""Images as sequences of tokens."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class PatchEmbedding(nn.Module):
    """z⁰ = [c; E x₁ + b; …; E x_N + b] + p: a token for the class, then one for each patch x of P×P pixels, row by row.

    The positions p and the class token c are learned as E is (Dosovitskiy et al., An image is worth 16x16 words, ICLR
    2021, equation 1). They start from N(0, 1): with the usual standard deviation of 0.02 a few thousand digits were
    learned more slowly. Convolutions may come first (Xiao et al., Early convolutions help transformers see better,
    NeurIPS 2021): each is 3×3 with stride 2, and so halves the sides of an image and of a patch.

    Args:
        dim: d, units of a token.
        patch_size: P, pixels of a patch's side.
        image_size: pixels of an image's side.
        stem: channels of each convolution before; none for the linear map alone.

    Shapes: (B, 1, image_size, image_size) → (B, 1 + N, d), N = (image_size / P)².

    Raises:
        ValueError: a size is not positive, patches do not cover the image, or cannot be halved so often.

    >>> PatchEmbedding(8, patch_size=7)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 17, 8])
    """

    def __init__(self, dim: int, patch_size: int, image_size: int = 28, stem: Sequence[int] = ()) -> None:
        super().__init__()
        refuse_nonpositive(dim=dim, patch_size=patch_size, image_size=image_size, stem=min(stem, default=1))
        _refuse_patches(patch_size, image_size, len(stem))
        self.side = image_size // patch_size
        channels = (1, *stem)
        self.stem = nn.Sequential(*(_halve(*pair) for pair in pairwise(channels)))
        self.patch_size = patch_size // 2 ** len(stem)  # what the convolutions leave of it
        self.projection = nn.Linear(channels[-1] * self.patch_size**2, dim)
        self.class_token = nn.Parameter(torch.randn(dim))
        self.positions = nn.Parameter(torch.randn(1 + self.side**2, dim))

    def forward(self, images: Tensor) -> Tensor:
        """The tokens, that of the class first."""
        patches = self.projection(self.cut(self.stem(images)))  # (B, N, d)
        tokens = torch.cat([self.class_token.expand(len(images), 1, -1), patches], dim=1)  # (B, 1 + N, d)
        embedded: Tensor = tokens + self.positions
        return embedded

    def cut(self, images: Tensor) -> Tensor:
        """Images or features cut into patches: (B, C, side·P, side·P) → (B, N, C·P²)."""
        grid = (self.side, self.patch_size)
        pixels: Tensor = images.unflatten(3, grid).unflatten(2, grid)  # (B, C, side, P, side, P)
        return pixels.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)

    def similarity(self) -> Tensor:
        """Cosines between the positions of all patches: (side, side, side, side), the first two say which patch."""
        directions = nn.functional.normalize(self.positions[1:], dim=1)  # (N, d)
        cosines: Tensor = (directions @ directions.T).reshape((self.side,) * 4)
        return cosines


def refuse_nonpositive(**sizes: int) -> None:
    """Raises ValueError at the first size that is not positive."""
    for name, size in sizes.items():
        if size <= 0:
            raise ValueError(f"{name}: {size} was given, expected a whole number > 0")


def _halve(inputs: int, outputs: int) -> nn.Module:
    """Half as many pixels to a side."""
    convolution = nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def _refuse_patches(patch_size: int, image_size: int, halvings: int) -> None:
    """Raises ValueError unless patches cover an image, and can be halved so often."""
    fitting = [size for size in range(1, image_size + 1) if image_size % size == size % 2**halvings == 0]
    if patch_size not in fitting:
        stem = f" and a stem of {halvings}" if halvings else ""
        raise ValueError(
            f"patch_size {patch_size} was given, expected one that fits the image's {image_size} pixels{stem}: "
            f"{fitting or 'none does'}"
        )
