"""Bootstrap samples."""

import torch

from lit_anndl.data.batches import Batch


def bootstrap(tensors: Batch, samples: int, seed: int) -> Batch:
    """Samples of n examples drawn with replacement from n, side by side: tensors (n, …) → (n, samples, …)."""
    examples = len(tensors[0])
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(examples, (examples, samples), generator=generator)
    return tuple(tensor[drawn.to(tensor.device)] for tensor in tensors)
