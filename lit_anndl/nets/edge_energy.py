"""How sharp images are."""

from torch import Tensor


def edge_energy(images: Tensor) -> Tensor:
    """The mean over pixels of (∂I/∂x)² + (∂I/∂y)², by differences of neighbours: (n, 1, height, width) → (n,).

    A step from paper to ink costs 1 where it takes one pixel and 1/k where it takes k: blurring lowers it, and so does
    ink that is paler or less; noise raises it.

    >>> import torch
    >>> sharp, blurred = torch.tensor([0.0, 0, 1, 1]), torch.tensor([0, 0.5, 1, 1])
    >>> [float(edge_energy(row.expand(1, 1, 4, 4))) for row in (sharp, blurred)]
    [0.25, 0.125]
    """
    down, across = (images.diff(dim=dim).square().flatten(1).sum(dim=1) for dim in (2, 3))
    return (down + across) / images[0].numel()
