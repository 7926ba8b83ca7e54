"""The personal regression problem: a function of two variables that depends on a student number."""

import warnings
from pathlib import Path

import numpy as np
import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor

from lit_anndl.data.batches import Batch
from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.data.test_functions import five_functions
from lit_anndl.runtime.errors import InputError

POINTS = 13_600
FEWEST = 3
"""Points that a surface can be drawn over."""
ROWS = ("x1", "x2", "T1", "T2", "T3", "T4", "T5")
"""What the rows of the course's file hold."""


class RegressionData(InMemoryData):
    """Points uniform on [0, 1]² with the target T = (d₁T₁ + … + d₅T₅) / (d₁ + … + d₅), d₁ ≥ … ≥ d₅ a number's digits.

    T₁ … T₅ are those of `lit_anndl.data.test_functions`. Of 13 600 points, training and test points are drawn at
    random without overlap; validation points come out of the training points.

    Args:
        digits: five digits, or a longer number whose five largest digits count; in YAML files between quotes.
        csv: the course's file in place of the formulas: rows x1, x2, T1, …, T5, a column per point.
        train_size: points for training and validation.
        test_size: points for testing.
        noise: standard deviation of Gaussian noise added to the targets in training and validation.
        validation_fraction: share of the training points that is held out for validation.
        folds: parts for cross-validation: one of them is held out instead; null for none.
        fold: which, from 0; null for the run's seed modulo `folds`, so that a study's seeds go through them (`seed`
            must be given then, or each fold would be of other points).
        batch_size: training points per optimizer step.
        steps_per_execution: optimizer steps handed to one training step, null for a whole epoch.
        seed: of the points, the noise and the split, null for the run's seed.
        resamples: bootstrap samples of the training points, one for each member of an ensemble; 0 for none.

    Raises:
        InputError: digits that are none, too few or all zero; a file of another shape or with gaps; fewer points
            than asked for; nothing left to train on; a fold that there is not.
    """

    def __init__(
        self,
        digits: str | int = "66321",
        csv: str | None = None,
        train_size: PositiveInt = 2000,
        test_size: PositiveInt = 1000,
        noise: NonNegativeFloat = 0.0,
        validation_fraction: ClosedUnitInterval = 0.2,
        folds: PositiveInt | None = None,
        fold: NonNegativeInt | None = None,
        batch_size: PositiveInt = 2000,
        steps_per_execution: PositiveInt | None = None,
        seed: NonNegativeInt | None = None,
        resamples: NonNegativeInt = 0,
    ) -> None:
        super().__init__(batch_size, steps_per_execution, seed, resamples)
        if isinstance(digits, int):
            raise InputError(
                f"data.digits: YAML has read the number {digits} (in another base, if it began with 0); "
                'expected digits between quotes, such as "66321"'
            )
        self.coefficients = _five_largest(digits)
        self.csv = csv
        self.train_size = train_size
        self.test_size = test_size
        self.noise = noise
        self.validation_fraction = validation_fraction
        self.folds = folds
        self.fold = fold
        check_folds(folds, fold, seed, train_size)

    def setup(self, stage: str) -> None:
        """Draws or reads the points, their targets and the split."""
        if hasattr(self, "train"):
            return
        points, functions = _read_csv(Path(self.csv).expanduser()) if self.csv else draw(self.stream("points"))
        if (wanted := self.train_size + self.test_size) > len(points):
            raise InputError(
                f"data.train_size {self.train_size} and data.test_size {self.test_size} make {wanted} points; "
                f"there are {len(points)}"
            )
        coefficients = torch.tensor(self.coefficients, dtype=torch.float64)
        targets = (functions @ coefficients / coefficients.sum()).unsqueeze(1)
        chosen = torch.randperm(len(points), generator=self.stream("split"))[:wanted]
        train, test = chosen[: self.train_size], chosen[self.train_size :]
        noise = self.noise * torch.randn((self.train_size, 1), generator=self.stream("noise"), dtype=torch.float64)
        self.test = (points[test], targets[test])
        self.train, self.validation = self._split((points[train], targets[train] + noise))

    def _split(self, examples: Batch) -> tuple[Batch, Batch]:
        """Training and validation examples; they are in random order already."""
        if self.folds:
            fold = self.fold if self.fold is not None else self.run_seed % self.folds
            first, last = (round(self.train_size * (fold + end) / self.folds) for end in (0, 1))
        else:
            first, last = self.train_size - round(self.validation_fraction * self.train_size), self.train_size
        if last - first == self.train_size:
            raise InputError(
                f"data.validation_fraction {self.validation_fraction} leaves nothing to train on: "
                f"there are {self.train_size} training points"
            )
        if (fewest := min(self.train_size - (last - first), self.test_size)) < FEWEST:
            raise InputError(f"{fewest} training or test points were asked for, expected {FEWEST} or more")
        kept = torch.cat([torch.arange(first), torch.arange(last, self.train_size)])
        held_out = tuple(tensor[first:last] for tensor in examples) if first < last else ()
        return tuple(tensor[kept] for tensor in examples), held_out


def _five_largest(digits: str) -> list[int]:
    """The five largest digits of a number, largest first.

    Raises:
        InputError: there are fewer, other characters, or nothing but zeros.
    """
    if not (digits.isascii() and digits.isdigit()) or len(digits) < 5 or not digits.strip("0"):
        raise InputError(
            f"data.digits: {digits} was given, expected five digits such as 66321, or a whole student number, "
            "digits only, not all zero"
        )
    return sorted(map(int, digits), reverse=True)[:5]


def check_folds(folds: int | None, fold: int | None, seed: int | None, train_size: int) -> None:
    """Refuses a cross-validation that cannot be: fewer folds than two, more than points, or no such fold."""
    if folds is not None and not 2 <= folds <= train_size:
        raise InputError(f"data.folds: {folds} was given, expected from 2 to data.train_size, {train_size}")
    if fold is not None and fold >= (folds or 0):
        expected = f"from 0 to {folds - 1}" if folds else "data.folds as well"
        raise InputError(f"data.fold: {fold} was given, expected {expected}")
    if folds and fold is None and seed is None:
        raise InputError(
            "data.folds takes the run's seed for the fold: expected data.seed as well, so that all folds are of the "
            "same points, or else data.fold"
        )


def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points uniform on the unit square with their T1 … T5: float64, (13 600, 2) and (13 600, 5)."""
    points = torch.rand((POINTS, 2), generator=generator, dtype=torch.float64)
    return points, five_functions(points)


def _read_csv(path: Path) -> tuple[Tensor, Tensor]:
    """The points of the course's file with their T1 … T5: float64, (n, 2) and (n, 5).

    Raises:
        InputError: it cannot be read, has another shape, or gaps.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty file has the wrong shape
            table = np.genfromtxt(path, delimiter=",", dtype=np.float64, ndmin=2)
    except OSError as error:
        raise InputError(f"data.csv: {path} cannot be read ({error.strerror or 'no such file'})") from error
    except ValueError as error:  # names the lines that are shorter than the first
        raise InputError(f"data.csv: {path}: rows of unequal length: {' '.join(str(error).split())[:200]}") from error
    if len(table) != len(ROWS):
        shape = " × ".join(map(str, table.shape))
        raise InputError(
            f"data.csv: {path} has {shape} numbers, expected {len(ROWS)} rows ({', '.join(ROWS)}), a column per point"
        )
    if len(gaps := np.argwhere(~np.isfinite(table))):
        row, column = gaps[0]
        raise InputError(
            f"data.csv: {path}: no number in row {row + 1} ({ROWS[row]}), column {column + 1}"
            f"{f', nor in {len(gaps) - 1} other places' if len(gaps) > 1 else ''}"
        )
    columns = torch.from_numpy(table.T.copy())
    return columns[:, :2], columns[:, 2:]
