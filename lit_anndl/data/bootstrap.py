"""Bootstrap samples."""

import torch

from lit_anndl.data.batches import Batch
from lit_anndl.data.streams import stream


def bootstrap(tensors: Batch, samples: int, seed: int) -> Batch:
    """Samples of n examples drawn with replacement from n, side by side: tensors (n, …) → (n, samples, …)."""
    examples = len(tensors[0])
    drawn = torch.randint(examples, (examples, samples), generator=stream(seed, "bootstrap samples"))
    return tuple(tensor[drawn.to(tensor.device)] for tensor in tensors)
