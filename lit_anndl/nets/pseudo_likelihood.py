"""Pseudo-likelihood of restricted Boltzmann machines, log Π_i p(v_i | the other pixels): tractable where p is not."""

from math import log

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, pad

from lit_anndl.nets.boltzmann import RBM

_MOST_UNITS_PER_LOG = 8
"""Factors that are multiplied before their logarithm is taken, if weights leave room: in single precision up to 11."""


@torch.no_grad()
def one_bit(rbm: RBM, v: Tensor, pixels: Tensor) -> Tensor:
    """N log σ(F(ṽ) - F(v)), with one pixel of each image flipped in ṽ: its expectation over pixels is the exact one.

    scikit-learn's `BernoulliRBM.score_samples`, where v' = 1 - v is also what flips a grey pixel.

    Shapes: v (B, N), pixels int64 (B,) → (B,).
    """
    flipped = v.clone()
    rows = torch.arange(len(v), device=v.device)
    flipped[rows, pixels] = 1 - flipped[rows, pixels]
    return v.shape[1] * logsigmoid(rbm.free_energy(flipped) - rbm.free_energy(v))


@torch.no_grad()
def exact(rbm: RBM, v: Tensor, pixels_at_once: int = 16) -> Tensor:
    """Σ_i log σ(F(v with pixel i flipped) - F(v)) over all pixels.

    A flip moves the hidden inputs x = a + Wᵀv by d_i = (1 - 2 v_i) W_i, and each log(1 + e^x) by
    log(1 - σ(x) + σ(x) e^d): no product with W is needed again, and a logarithm for several hidden units at once.
    (The exponential takes a fifth of the time of `expm1`, whose last digits the sum would drop.)

    Shapes: v (B, N) → (B,).
    """
    active = rbm.hidden_probability(v)  # (B, H)
    units_per_log = _units_per_log(rbm.weight)
    active = pad(active, (0, -active.shape[1] % units_per_log))  # of zeros, which change no product
    still = (1 - active).unsqueeze(1)
    weight = pad(rbm.weight, (0, active.shape[1] - rbm.weight.shape[1]))
    total = v.new_zeros(len(v))
    change = 1 - 2 * v  # (B, N)
    for pixels in torch.arange(v.shape[1], device=v.device).split(pixels_at_once):
        growth = (change[:, pixels].unsqueeze(2) * weight[pixels]).exp_()  # (B, pixels, H)
        factors = growth.mul_(active.unsqueeze(1)).add_(still).unflatten(2, (units_per_log, -1))
        moved = factors.prod(dim=2).log_().sum(dim=2)  # (B, pixels)
        total += logsigmoid(-moved - change[:, pixels] * rbm.visible_bias[pixels]).sum(dim=1)
    return total


def _units_per_log(weight: Tensor) -> int:
    """How many factors of e^|W| at most can be multiplied without overflow."""
    room = log(torch.finfo(weight.dtype).max) / max(float(weight.abs().max()), 1e-3)
    return max(1, min(_MOST_UNITS_PER_LOG, int(room)))
