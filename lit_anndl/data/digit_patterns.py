"""Digits as patterns of ±1, and corrupted copies of them to recall them from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor

from lit_anndl.data.digits import dataset_files, idx
from lit_anndl.data.digits.idx import CLASSES, SIDE
from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.runtime.errors import InputError


@dataclass(frozen=True)
class Corruption:
    """How a pattern is corrupted.

    Args:
        kind: noise or occlusion.
        level: standard deviation of Gaussian noise, or share of the image's rows, from below, that are hidden.
    """

    kind: Literal["noise", "occlusion"]
    level: float

    def __str__(self) -> str:
        """σ = 1.5, or hidden = 0.3."""
        return f"{'σ' if self.kind == 'noise' else 'hidden'} = {self.level:g}"

    def apply(self, patterns: Tensor, draws: int, generator: torch.Generator) -> Tensor:
        """Corrupted copies, `draws` of each pattern: (draws × patterns, N), within [-1, 1].

        Hidden pixels have the background's value; there is nothing to draw, so all copies are alike.
        """
        copies = patterns.repeat(draws, 1)
        if self.kind == "noise":
            noise = torch.randn(copies.shape, generator=generator, dtype=copies.dtype)
            return (copies + self.level * noise).clamp(-1, 1)
        shown = SIDE - round(self.level * SIDE)
        copies[:, shown * SIDE :] = -1
        return copies


class DigitPatternData(InMemoryData):
    """One digit per class, the first of each in the training set, pixels to ±1; and corrupted copies.

    `test` holds states (B, 784), the class of each, and the index of its corruption in `corruptions`.

    Args:
        dataset: "mnist" or its drop-in "fashion".
        directory: a folder of the four IDX files, instead of the data directory.
        noise: standard deviations of Gaussian noise that is added; results are clipped to [-1, 1].
        occlusion: shares of the image, from below, that are hidden.
        draws: noisy copies of each digit for each level.
        seed: of the noise, null for the run's seed.

    Raises:
        InputError: no level at all; a class that the training set lacks.
    """

    def __init__(
        self,
        dataset: Literal["mnist", "fashion"] = "mnist",
        directory: str | None = None,
        noise: list[NonNegativeFloat] = [1.5],  # noqa: B006  # jsonargparse shows it
        occlusion: list[ClosedUnitInterval] = [],  # noqa: B006  # likewise
        draws: PositiveInt = 20,
        seed: NonNegativeInt | None = None,
    ) -> None:
        super().__init__(CLASSES, None, seed)
        self.dataset = dataset
        self.directory = Path(directory).expanduser() if directory else None
        self.draws = draws
        self.corruptions = [Corruption("noise", level) for level in noise] + [
            Corruption("occlusion", level) for level in occlusion
        ]
        if not self.corruptions:
            raise InputError("data.noise and data.occlusion are both empty; expected at least one level")

    def prepare_data(self) -> None:
        """Fetches what is not in the data directory yet."""
        if self.directory is None:
            dataset_files.fetch(self.dataset)

    def setup(self, stage: str) -> None:
        """Reads the digits and corrupts them."""
        if hasattr(self, "train"):
            return
        digits = idx.read(self.directory or dataset_files.fetch(self.dataset))
        patterns = first_of_each(digits.train_images, digits.train_labels)
        generator = self.stream("corruption")
        copies = [
            corruption.apply(patterns, self.draws if corruption.kind == "noise" else 1, generator)
            for corruption in self.corruptions
        ]
        sizes = torch.tensor([len(states) for states in copies])
        classes = [torch.arange(CLASSES).repeat(size // CLASSES) for size in sizes.tolist()]
        self.train = (patterns,)
        self.test = (torch.cat(copies), torch.cat(classes), torch.arange(len(copies)).repeat_interleave(sizes))


def first_of_each(images: Tensor, labels: Tensor) -> Tensor:
    """The first image of each class as a pattern: uint8 (n, 28, 28) → ±1 (10, 784), the darker half of the greys -1.

    Raises:
        InputError: a class has no image.
    """
    if lacking := [str(digit) for digit in range(CLASSES) if not (labels == digit).any()]:
        raise InputError(f"the training set has no image of class {', '.join(lacking)}")
    first = torch.stack([(labels == digit).int().argmax() for digit in range(CLASSES)])
    return torch.where(images[first].flatten(1) > 127, 1.0, -1.0)
