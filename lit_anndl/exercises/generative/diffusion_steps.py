"""What becomes of a diffusion's samples by the number of steps that they take."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.plots.images import image_rows
from lit_anndl.plots.sampling_steps import quality_by_steps
from lit_anndl.quality.classifier_table import classifier_table
from lit_anndl.quality.findings import Findings
from lit_anndl.quality.sample_distance import SampleDistance
from lit_anndl.quality.sample_quality import Sampler
from lit_anndl.quality.timed import timed
from lit_anndl.runtime.records import Table

RATIO = "sampling_steps/distance_ratio"
SUMMARIES = (RATIO,)
_KINDS = {"η = 0": 0.0, "η = 1": 1.0}
"""Noise that is added on the way: none (DDIM), or as much as ancestral sampling adds, by fewer steps."""
_SHOWN = 10
_OF = 10_000
"""Samples that seconds are told for."""


class StepSampler(Protocol):
    """What draws images in [0, 1] (n, 1, 28, 28) by any number of steps, with η of the noise on the way."""

    def __call__(
        self, number: int, generator: torch.Generator, steps: int | None = None, eta: float | None = None
    ) -> Tensor:
        """So many images."""


def compared(
    sample: StepSampler, steps: Sequence[int], own: int, number: int, data: MNISTData, device: torch.device
) -> Findings:
    """The distance of so many samples from validation images, without and with noise on the way, and seconds.

    `sampling_steps/distance_ratio` is the distance at the model's own number of steps, without noise, over the least of
    all; there is none where that number is not compared. Few samples have distances that are too large by the same,
    which brings it nearer to 1, and whose least is too small by chance, which does the contrary.
    """
    measure = SampleDistance(data, number, device).measure
    found = {kind: [_timed_distance(measure, sample, each, eta) for each in steps] for kind, eta in _KINDS.items()}
    distances = {kind: [distance for distance, _ in of_kind] for kind, of_kind in found.items()}
    seconds = [each * _OF / number for _, each in found["η = 0"]]
    table: Table = {"steps": list(steps), **distances, f"seconds for {_OF} samples": seconds}
    tables: dict[str, Table] = {"sampling_steps": table, "classifier": classifier_table()}
    summary = {}
    if own in steps:
        least = min(min(of_kind) for of_kind in distances.values())
        summary[RATIO] = distances["η = 0"][list(steps).index(own)] / least
    return Findings(summary, tables, {"sampling_steps": quality_by_steps(table, list(_KINDS))})


def _timed_distance(
    measure: Callable[[Sampler], float], sample: StepSampler, steps: int, eta: float
) -> tuple[float, float]:
    """The distance of samples, and the seconds that they took."""
    seconds = []

    def by_steps(number: int, generator: torch.Generator) -> Tensor:
        images, taken = timed(lambda: sample(number, generator, steps, eta).cpu(), generator.device)
        seconds.append(taken)
        return images

    return measure(by_steps), sum(seconds)


def of_same_noise(sample: StepSampler, steps: Sequence[int], seed: int) -> Figure:
    """What becomes of the same noise, if none is added on the way."""
    rows = {}
    for each in steps:
        images = sample(_SHOWN, stream(seed, "noise of the figure"), each, 0.0)
        rows[f"{each} steps"] = images[:, 0].float().cpu().numpy()
    return image_rows(rows, "samples from the same noise, η = 0, by the number of steps")
