"""What self-attention costs by the length of a sequence, written out and by torch's kernel."""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lit_anndl.nets.self_attention import SelfAttention
from lit_anndl.quality.timed import timed

_REPEATS = 5


@torch.no_grad()
def costs(net: SelfAttention, masks: Sequence[Tensor | None], lengths: Sequence[int]) -> dict[str, list[float]]:
    """Seconds, as in `timed`, and bytes of one sequence of each length.

    Bytes are those of all tensors made on the way: more than are needed at once.

    Args:
        net: of either way.
        masks: by length, where attention may be paid (N, N), None for everywhere.
        lengths: N, tokens.
    """
    like = net.queries.weight
    inputs = [torch.zeros(1, length, like.shape[1], dtype=like.dtype, device=like.device) for length in lengths]
    found = {}
    for name, way in (("written out", net), ("torch's kernel", net.fused)):
        actions = [partial(way, x, mask) for x, mask in zip(inputs, masks, strict=True)]
        found[f"{name}, seconds"] = [_seconds(each, like.device) for each in actions]
        found[f"{name}, bytes"] = [_allocated(each) for each in actions]
    return found


def _seconds(action: Callable[[], Any], device: torch.device) -> float:
    """The median time of an action, after a first time."""
    _, *seconds = (timed(action, device)[1] for _ in range(1 + _REPEATS))
    return median(seconds)


def _allocated(action: Callable[[], Any]) -> float:
    """The bytes of all tensors that an action makes on its way."""
    with _AllocationCounter() as counter:
        action()
    return float(counter.bytes)


class _AllocationCounter(TorchDispatchMode):
    """Counts the bytes of all tensors that operations make while it is active.

    It is their sum, not the peak, as none is taken off when it is freed; what a kernel needs within itself, as that of
    fused attention does, is not seen.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs an operation, and counts what it has made that does not lie where something given to it lies."""
        given = {_place(each) for each in args if isinstance(each, Tensor)}
        outputs = func(*args, **(kwargs or {}))
        for tensor in outputs if isinstance(outputs, tuple | list) else (outputs,):
            if isinstance(tensor, Tensor) and _place(tensor) not in given:
                self.bytes += tensor.untyped_storage().nbytes()
        return outputs


def _place(tensor: Tensor) -> int:
    """Where it is stored; torch does not declare all views as views."""
    return tensor.untyped_storage().data_ptr()
