"""How much single latents know of single factors."""

import torch
from torch import Tensor

BINS = 10


def in_bins(values: Tensor, bins: int = BINS) -> Tensor:
    """Which of some equally filled bins each value lies in, column by column: (n, d) → whole numbers (n, d)."""
    ordered = values.sort(dim=0).values
    found = torch.zeros_like(values, dtype=torch.long)
    for edge in range(1, bins):
        found += values >= ordered[len(values) * edge // bins]
    return found - found.min(dim=0).values


def entropy(factor: Tensor) -> float:
    """H(v) in nats of whole numbers (n,)."""
    shares = torch.bincount(factor).double() / len(factor)
    return abs(float(torch.special.entr(shares).sum()))


def mutual_information(latents: Tensor, factor: Tensor) -> Tensor:
    """I(z_j; v) in nats of each latent, by counting: latents (n, d) and factor (n,), whole numbers → (d,).

    Of n pairs it is too large by about (bins - 1)(values - 1) / 2n, of all latents alike.
    """
    number, d = latents.shape
    rows, columns = int(latents.max()) + 1, int(factor.max()) + 1
    cells = (torch.arange(d, device=latents.device) * rows + latents) * columns + factor[:, None]
    joint = torch.bincount(cells.flatten(), minlength=d * rows * columns).reshape(d, rows, columns).double() / number
    of_latents, of_factor = (torch.special.entr(joint.sum(dim=dim)).sum(dim=1) for dim in (2, 1))
    information: Tensor = of_latents + of_factor - torch.special.entr(joint).sum(dim=(1, 2))
    return information


def mutual_information_gap(latents: Tensor, factor: Tensor) -> float:
    """(I(z_j; v) - max_{k ≠ j} I(z_k; v)) / H(v), z_j the latent that knows most (Chen et al., NeurIPS 2018).

    1 where one latent says all of a factor and the others nothing; 0 where two know as much, and of a factor that does
    not vary. It is about the axes: turning the latents changes it.

    Args:
        latents: (n, d), whole numbers.
        factor: (n,), whole numbers.

    >>> z = torch.arange(64).reshape(8, 8) % 8
    >>> round(mutual_information_gap(torch.stack([z.flatten(), z.T.flatten()], dim=1), z.flatten()), 6)
    1.0
    """
    uncertain = entropy(factor)
    if not uncertain:
        return 0.0
    known = mutual_information(latents, factor).sort(descending=True).values
    second = float(known[1]) if len(known) > 1 else 0.0
    return (float(known[0]) - second) / uncertain
