"""What becomes of a diffusion's samples by the number of steps that they take."""

import time
from collections.abc import Callable, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.plots.images import image_rows
from lit_anndl.quality.sample_distance import SampleDistance
from lit_anndl.runtime.records import Table

_SHOWN = 10
_OF = 10_000
"""Samples that seconds are told for."""


StepSampler = Callable[[int, torch.Generator, int], Tensor]
"""A number of images, a generator and a number of steps ↦ images in [0, 1] (n, 1, 28, 28)."""


def compared(sample: StepSampler, steps: Sequence[int], number: int, data: MNISTData, device: torch.device) -> Table:
    """The distance of so many samples from validation images, and seconds, by numbers of steps."""
    distance = SampleDistance(data, number, device)
    distances, seconds = [], []
    for each in steps:

        def by_steps(count: int, generator: torch.Generator, steps: int = each) -> Tensor:
            begun = time.perf_counter()
            images = sample(count, generator, steps).cpu()
            seconds.append((time.perf_counter() - begun) * _OF / count)
            return images

        distances.append(distance.measure(by_steps))
    return {"steps": list(steps), "Fréchet distance": distances, f"seconds for {_OF} samples": seconds}


def of_same_noise(sample: StepSampler, steps: Sequence[int], seed: int) -> Figure:
    """What becomes of the same noise."""
    rows = {}
    for each in steps:
        images = sample(_SHOWN, stream(seed, "noise of the figure"), each)
        rows[f"{each} steps"] = images[:, 0].float().cpu().numpy()
    return image_rows(rows, "samples from the same noise, by the number of steps")
