"""What the likelihood of images costs."""

import time
from collections.abc import Callable
from typing import TypeVar

import torch

LIKELIHOOD_SECONDS = "likelihood/seconds"
"""The metric: what the likelihoods of 1000 test images take, by the estimator that is reported."""
PER = 1000
_Result = TypeVar("_Result")


def timed(evaluate: Callable[[], _Result], device: torch.device) -> tuple[_Result, float]:
    """What something gives, and the seconds that it takes on a device that may lag behind."""
    _wait_for(device)
    begun = time.perf_counter()
    result = evaluate()
    _wait_for(device)
    return result, time.perf_counter() - begun


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
