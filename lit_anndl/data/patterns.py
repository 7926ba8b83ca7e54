"""Patterns to store, and states to recall them from."""

import torch
from jsonargparse.typing import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor

from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.runtime.errors import InputError


class PatternData(InMemoryData):
    """Corners of the hypercube [-1, 1]^N to store; states uniform on it, and listed ones, to start from.

    Args:
        patterns: [[1, 1], [-1, -1]]: Q patterns of N values ±1 each.
        starts: states of N values whose way is followed one by one.
        random_starts: states drawn at random, for shares of the basins of attraction.
        perturbation: standard deviation of the Gaussian noise that repeated runs start with.
        repeats: how many of them there are from each listed start and each fixed point.
        seed: of whatever is drawn, null for the run's seed.

    Raises:
        InputError: patterns or starts of unequal length, or outside [-1, 1]; no patterns.
    """

    def __init__(
        self,
        patterns: list[list[float]],
        starts: list[list[float]] | None = None,
        random_starts: PositiveInt = 1000,
        perturbation: NonNegativeFloat = 0.01,
        repeats: PositiveInt = 100,
        seed: NonNegativeInt | None = None,
    ) -> None:
        super().__init__(max(len(patterns), 1), None, seed)
        self.patterns = rows("data.patterns", patterns)
        self.starts = rows("data.starts", starts) if starts else self.patterns[:0]
        self.random_starts = random_starts
        self.perturbation = perturbation
        self.repeats = repeats

    def setup(self, stage: str) -> None:
        """Draws the random starts."""
        self.train = (self.patterns,)
        shape = (self.random_starts, self.patterns.shape[1])
        self.test = (2 * torch.rand(shape, generator=self.stream("starts"), dtype=torch.float64) - 1,)

    def perturbed(self, state: Tensor) -> Tensor:
        """`repeats` copies of a state (N,) with noise, on the hypercube still."""
        shape = (self.repeats, len(state))
        noise = torch.randn(shape, generator=self.stream("perturbations"), dtype=torch.float64)
        perturbed: Tensor = (state + self.perturbation * noise).clamp(-1, 1)
        return perturbed


def rows(key: str, values: list[list[float]]) -> Tensor:
    """States as a tensor, float64 (number, N).

    Raises:
        InputError: there are none, they are of unequal length, or outside [-1, 1].
    """
    if not values or not values[0]:
        raise InputError(f"{key}: {values} was given, expected one or more, such as [[1, 1], [-1, -1]]")
    width = len(values[0])
    for number, row in enumerate(values, start=1):
        if len(row) != width:
            raise InputError(f"{key}: row {number}, {row}, has {len(row)} values, expected {width}")
        if outside := [value for value in row if not -1 <= value <= 1]:
            raise InputError(f"{key}: row {number} has the value {outside[0]:g}, expected -1 to 1")
    return torch.tensor(values, dtype=torch.float64)
