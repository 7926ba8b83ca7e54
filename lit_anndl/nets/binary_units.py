"""States of binary units, drawn."""

import torch
from torch import Tensor


def draw(p: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """1 with probability p, else 0, of the type of p: a uniform number is smaller than p.

    What `torch.bernoulli` does, which on a CPU takes three times as long for the same numbers; chains do little else.

    >>> draw(torch.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    precision = torch.promote_types(p.dtype, torch.float32)  # half precision has too few numbers below 1
    device = p.device if generator is None else generator.device
    uniform = torch.rand(p.shape, generator=generator, dtype=precision, device=device)
    return uniform.to(p.device).lt_(p.detach()).to(p.dtype)  # in place; a comparison has no gradient


def log_odds(v: Tensor) -> Tensor:
    """Log-odds of each unit's mean over states v (n, units), as if one more were half on: (units,).

    >>> log_odds(torch.tensor([[0.0], [1.0]]))
    tensor([0.])
    """
    mean = (v.sum(dim=0) + 0.5) / (len(v) + 1)
    return mean.logit()
