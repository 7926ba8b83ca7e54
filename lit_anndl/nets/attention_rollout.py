"""Where what a transformer says comes from."""

import torch
from torch import Tensor


def attention_rollout(maps: Tensor) -> Tensor:
    """R = Ãᴸ ⋯ Ã¹, Ãˡ = ½ (Āˡ + I): attention followed through all blocks, from their last tokens to the first.

    Āˡ is the mean of a block's weights over its heads; I stands for the shortcut beside them, as if it carried half
    (Abnar & Zuidema, Quantifying attention flow in transformers, ACL 2020).

    Args:
        maps: (L, B, heads, N, N), rows that sum to 1.

    Returns: (B, N, N), rows that sum to 1: the shares of the first tokens in each of the last.

    >>> attention_rollout(torch.full((3, 1, 2, 4, 4), 1 / 4))[0, 0]
    tensor([0.3438, 0.2188, 0.2188, 0.2188])
    """
    steps = (maps.mean(dim=2) + torch.eye(maps.shape[-1]).to(maps)) / 2  # (L, B, N, N)
    rollout = steps[0]
    for step in steps[1:]:
        rollout = step @ rollout
    return rollout
