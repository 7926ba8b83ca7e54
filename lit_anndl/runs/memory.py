"""What training keeps in memory."""

from typing import Any

from torch import Tensor
from torch.optim import Optimizer


def state_bytes(optimizer: Optimizer) -> int:
    """The bytes of all tensors in an optimizer's state: moments, momentum, the history of L-BFGS; without weights."""
    return _tensor_bytes(list(optimizer.state.values()))


def _tensor_bytes(value: Any) -> int:
    """The bytes of the tensors in nested dictionaries and lists."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(map(_tensor_bytes, value.values()))
    return sum(map(_tensor_bytes, value)) if isinstance(value, list | tuple) else 0
