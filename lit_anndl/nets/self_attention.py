"""Self-attention, in NumPy and in PyTorch.

Attention(Q, K, V) = softmax(Q Kᵀ / √d_k) V, one head or several side by side (Vaswani et al., Attention is all you
need, NeurIPS 2017).
"""

from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

Array = NDArray[np.float64]


def softmax(scores: Array) -> Array:
    """exp(s_j) / Σ exp(s_l) along the last axis; the largest score is taken off first, so that nothing overflows."""
    exponentials: Array = np.exp(scores - scores.max(axis=-1, keepdims=True))
    normalised: Array = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return normalised


def softmax_of_swapped_clip(scores: Array, bound: float = 500.0) -> Array:
    """What becomes of softmax when scores are clipped with the bounds in the wrong order: a counter-example.

    NumPy's clip to [bound, -bound] gives -bound for every score, so that each row is 1/N, whatever the scores.
    """
    return softmax(np.clip(scores, bound, -bound))


def attention(queries: Array, keys: Array, values: Array, mask: NDArray[np.bool_] | None = None) -> Array:
    """softmax(Q Kᵀ / √d_k) V in NumPy; where the mask is False, no attention is paid.

    Shapes: queries (…, N, d_k), keys (…, M, d_k), values (…, M, d_v), mask (N, M) → (…, N, d_v).
    """
    scores = queries @ keys.swapaxes(-1, -2) / sqrt(keys.shape[-1])  # (…, N, M)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    weighted: Array = softmax(scores) @ values
    return weighted


class SelfAttention(nn.Module):
    """Multi-head self-attention: each head has d_k = d / heads units of each projection.

    Args:
        dim: d, units of a token.
        heads: of attention.

    Shapes: (B, N, d) → (B, N, d), mask (N, N).

    Raises:
        ValueError: d cannot be divided by the heads.

    >>> SelfAttention(8, heads=2)(torch.zeros(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, dim: int, heads: int = 1) -> None:
        super().__init__()
        if dim % heads:
            fitting = [count for count in range(1, dim + 1) if dim % count == 0]
            raise ValueError(f"dim {dim} cannot be divided by {heads} heads, expected one of {fitting}")
        self.heads = heads
        self.queries, self.keys, self.values = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.output = nn.Linear(dim, dim, bias=False)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Q, K and V by head: (B, N, d) → three of (B, heads, N, d_k)."""
        queries, keys, values = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.queries, self.keys, self.values)
        )
        return queries, keys, values

    def weights(self, queries: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        """softmax(Q Kᵀ / √d_k): (B, heads, N, d_k) → (B, heads, N, N), whose rows sum to 1."""
        scores = queries @ keys.transpose(-1, -2) / sqrt(keys.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(dim=-1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attention written out: the weights of all pairs of tokens are held in memory."""
        queries, keys, values = self.project(x)
        return self.join(self.weights(queries, keys, mask) @ values)

    def fused(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The same by torch's own kernel, which need not hold all weights at once."""
        return self.join(scaled_dot_product_attention(*self.project(x), attn_mask=mask))

    def join(self, heads: Tensor) -> Tensor:
        """The heads side by side, and projected: (B, heads, N, d_k) → (B, N, d)."""
        joined: Tensor = self.output(heads.transpose(1, 2).flatten(2))
        return joined
