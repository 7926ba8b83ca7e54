"""Pseudo-likelihood of restricted Boltzmann machines, log Π_i p(v_i | the other pixels): tractable where p is not."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from lit_anndl.nets.boltzmann import RBM


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

    A flip of pixel i moves all hidden inputs by (1 - 2 v_i) W_i, so that no product with W is needed again.

    Shapes: v (B, N) → (B,).
    """
    inputs = rbm.hidden_input(v)  # (B, H)
    own = softplus(inputs).sum(dim=1)  # (B,)
    total = torch.zeros_like(own)
    change = 1 - 2 * v  # (B, N)
    for pixels in torch.arange(v.shape[1], device=v.device).split(pixels_at_once):
        moved = inputs.unsqueeze(1) + change[:, pixels].unsqueeze(2) * rbm.weight[pixels]  # (B, pixels, H)
        difference = own.unsqueeze(1) - softplus(moved).sum(dim=2) - change[:, pixels] * rbm.visible_bias[pixels]
        total += logsigmoid(difference).sum(dim=1)
    return total
