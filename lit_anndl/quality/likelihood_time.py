"""What the likelihood of images costs."""

import time
from collections.abc import Callable
from typing import Any

import torch

LIKELIHOOD_SECONDS = "likelihood/seconds"
"""The metric: what the likelihoods of 1000 test images take, by the estimator that is reported."""
PER = 1000


def seconds_of(evaluate: Callable[[], Any], device: torch.device) -> float:
    """What something takes, on a device that may lag behind."""
    _wait_for(device)
    begun = time.perf_counter()
    evaluate()
    _wait_for(device)
    return time.perf_counter() - begun


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
