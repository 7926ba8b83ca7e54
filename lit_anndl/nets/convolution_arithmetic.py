"""The arithmetic of convolutions: sizes, sums, receptive fields.

What networks call a convolution is a cross-correlation, Y_i = Σ_m K_m X_{s·i + m - p}, the kernel not mirrored; the
formulas are those of Dumoulin & Visin, A guide to convolution arithmetic for deep learning (arXiv 1603.07285, 2016).
"""

from collections.abc import Iterator, Sequence
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import pad


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """⌊(size + 2 padding - kernel) / stride⌋ + 1, along one axis; of pooling too.

    Raises:
        ValueError: the kernel is larger than the padded input.

    >>> output_size(28, 3, stride=2, padding=1)
    14
    """
    most = size + 2 * padding
    if kernel > most:
        padded = f" ({most} with padding)" if padding else ""
        raise ValueError(f"a kernel of {kernel} does not fit into {size} values{padded}, expected {most} at most")
    return (most - kernel) // stride + 1


def windows(x: Tensor, kernel: Tensor, stride: int, padding: int) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """The place of each output, and the values of the padded input that the kernel lies on there.

    Shapes: x and kernel have one axis or two; each window has the kernel's shape.

    Raises:
        ValueError: the kernel is larger than the padded input.
    """
    sizes = [output_size(size, own, stride, padding) for size, own in zip(x.shape, kernel.shape, strict=True)]
    padded = pad(x, [padding, padding] * x.dim())
    for place in product(*map(range, sizes)):
        corners = zip(place, kernel.shape, strict=True)
        yield place, padded[tuple(slice(stride * at, stride * at + size) for at, size in corners)]


def convolve(x: Tensor, kernel: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """The convolution, sum by sum, in one dimension or two.

    Raises:
        ValueError: the kernel is larger than the padded input.

    >>> convolve(torch.tensor([2, 5, 4, 1, 3, 7]), torch.tensor([1, 0, 1])).tolist()
    [6, 6, 7, 8]
    """
    sums = {place: (window * kernel).sum() for place, window in windows(x, kernel, stride, padding)}
    return torch.stack(list(sums.values())).reshape([last + 1 for last in max(sums)])


def receptive_fields(layers: Sequence[tuple[int, int]]) -> list[int]:
    """How many inputs along an axis a unit sees after each of some layers (kernel, stride): r ← r + (k - 1) ∏ s.

    >>> receptive_fields([(3, 1), (2, 2), (3, 1)])
    [3, 4, 8]
    """
    fields, field, jump = [], 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
        fields.append(field)
    return fields
