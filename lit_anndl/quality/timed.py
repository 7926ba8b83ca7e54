"""What samples, likelihoods and attention cost."""

import time
from collections.abc import Callable
from typing import TypeVar

import torch

LIKELIHOOD_SECONDS = "likelihood/seconds"
"""The metric: what the likelihoods of 1000 test images take, each by all that the reported estimator is a mean over.

Where the mean over the test images is estimated by a part of them, or by one random term of each, as many seconds less
were spent.
"""
PER = 1000
_Result = TypeVar("_Result")


def timed(
    evaluate: Callable[[], _Result], device: torch.device, *, as_waited_for: bool = False
) -> tuple[_Result, float]:
    """What something gives, and the seconds that it takes.

    On a CPU they are those of this process, of all its threads together, which other work on the machine hardly
    lengthens, or those that someone waits for; on a GPU those of a clock, from when it is idle to when it is again.
    """
    clock = time.process_time if device.type == "cpu" and not as_waited_for else time.perf_counter
    _wait_for(device)
    begun = clock()
    result = evaluate()
    _wait_for(device)
    return result, clock() - begun


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
