"""The Santa Fe laser: windows of its past, folds for validation, origins to forecast from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jsonargparse.typing import NonNegativeInt, PositiveInt
from reservoirpy.datasets import santafe_laser
from torch import Tensor

from lit_anndl.data.batches import Batch, Items
from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.runtime.errors import InputError


@dataclass(frozen=True)
class ForecastTask:
    """Values to learn from, and values to forecast.

    Args:
        values: normalised, (L,).
        start: index of the first value to forecast; all before it are known when it is.
        size: how many are to be forecast.
        usable: int64, where in the values the training examples begin.
    """

    values: Tensor
    start: int
    size: int
    usable: Tensor

    @property
    def future(self) -> Tensor:
        """What is to be forecast, (size,)."""
        return self.values[self.start : self.start + self.size]

    def examples(self, number: int, length: int) -> Tensor:
        """So many training examples, repeated if there are not as many: (number, length)."""
        return self.values.unfold(0, length, 1)[self.usable[torch.arange(number) % len(self.usable)]]


class SantaFeData(InMemoryData):
    """Far-infrared laser intensities in a chaotic state, 0 to 255, data set A of the Santa Fe competition (Weigend &
    Gershenfeld 1994), 10 093 values with those after the competition's.

    Several networks learn at once: one per fold on a part of the first `train_size` values, and one per origin on all
    the `train_size` values before it. The origin at 1000 is the competition's own. Values are normalised by the mean
    and standard deviation of these `train_size` values; the folds' too, as in the course, although a fold forecasts
    some of them.

    `train` holds windows (n, P, lag) and the values after them (n, P, steps_ahead), P folds and origins. Who has fewer
    windows sees some twice in an epoch, so that all take as many steps (a network with a state goes on with the one
    that it has then, which a few windows make it forget).

    Args:
        lag: values in a window.
        train_size: values to learn from.
        horizon: values to forecast.
        origins: how many, `horizon` apart, from `train_size` on; 1 for the competition's own.
        folds: networks for validation.
        validation_size: values that each of them forecasts.
        folding: expanding, as scikit-learn's TimeSeriesSplit with a gap of `lag`: a fold learns from what comes before
            its values, `lag` windows before they begin; or blocks: from what comes before and after, its values evenly
            spread over the series, with overlap if they must.
        steps_ahead: values after a window that it is learnt from.
        batch_size: windows per optimizer step.
        shuffle: whether windows come in random order; for networks with a state in that of time.
        steps_per_execution: optimizer steps handed to one training step, null for a whole epoch.

    Raises:
        InputError: lag, origins, or folds and validation_size for which the series is too short; fewer than two values
            to forecast, or only equal ones.
    """

    def __init__(
        self,
        lag: PositiveInt = 50,
        train_size: PositiveInt = 1000,
        horizon: PositiveInt = 100,
        origins: PositiveInt = 1,
        folds: NonNegativeInt = 5,
        validation_size: PositiveInt = 50,
        folding: Literal["expanding", "blocks"] = "expanding",
        steps_ahead: PositiveInt = 1,
        batch_size: PositiveInt = 100,
        shuffle: bool = True,
        steps_per_execution: PositiveInt | None = None,
    ) -> None:
        super().__init__(batch_size, steps_per_execution, None)
        for key, size in (("horizon", horizon), ("validation_size", validation_size)):
            if size < 2:
                raise InputError(
                    f"data.{key} {size} was given, expected 2 or more: errors are set against the variance"
                )
        self.series = torch.from_numpy(santafe_laser()).squeeze(1).double()
        if (wanted := train_size + horizon) > len(self.series):
            raise InputError(
                f"data.train_size {train_size} and data.horizon {horizon} make {wanted} values; "
                f"there are {len(self.series)}"
            )
        if train_size - lag < 2 + steps_ahead:
            raise InputError(
                f"data.lag {lag} leaves {max(train_size - lag, 0)} windows of the {train_size} values; "
                f"expected {train_size - steps_ahead - 2} at most"
            )
        if (most := (len(self.series) - train_size) // horizon) < origins:
            raise InputError(f"data.origins {origins} was given, expected {most} at most")
        self.lag = lag
        self.train_size = train_size
        self.horizon = horizon
        self.folds = folds
        self.validation_size = validation_size
        self.folding = folding
        self.steps_ahead = steps_ahead
        self.shuffle = shuffle
        self.origins = [train_size + number * horizon for number in range(origins)]
        self.check_folds()

    def check_folds(self) -> None:
        """Refuses folds that do not fit: expanding ones lie behind each other, blocks each for itself."""
        if not self.folds:
            return
        windows, example = self.train_size - self.lag, self.lag + self.steps_ahead
        room, together = windows - example, self.folds
        if self.folding == "blocks":
            room, together = self.train_size - 2 * example, 1
        if together * self.validation_size <= room:
            return
        largest, most = room // together, room // self.validation_size
        fitting = [f"data.validation_size {largest}"] * (largest > 1) + [f"data.folds {most}"] * (1 <= most < together)
        raise InputError(
            f"data.folds {self.folds} of data.validation_size {self.validation_size} do not fit into the {windows} "
            f"windows of lag {self.lag}; expected at most {' or '.join(fitting) or 'a shorter data.lag'}"
        )

    def check_variance(self, tasks: Sequence[ForecastTask]) -> None:
        """Refuses values to forecast that have no variance: errors are set against it."""
        for number, task in enumerate(tasks):
            if task.future.min() == task.future.max():
                key = "validation_size" if number < self.folds else "horizon"
                origin = task.start if number < self.folds else self.origins[number - self.folds]
                raise InputError(
                    f"data.{key} {task.size} was given, expected more: the values from {origin} on are all alike"
                )

    def setup(self, stage: str) -> None:
        """Cuts the series into tasks, and those into windows."""
        if hasattr(self, "train"):
            return
        self.held_out = [self.fold(number) for number in range(self.folds)]
        self.ahead = [self.origin(origin) for origin in self.origins]
        tasks = [*self.held_out, *self.ahead]
        self.check_variance(tasks)
        number = max(len(task.usable) for task in tasks)
        length = self.lag + self.steps_ahead
        examples = torch.stack([task.examples(number, length) for task in tasks], dim=1)
        self.train = (examples[..., : self.lag], examples[..., self.lag :])
        self.validation = _segment(self.held_out) if self.held_out else ()
        self.test = _segment(self.ahead)

    def val_dataloader(self) -> Iterable[Any]:
        """The folds' pasts, their lengths, and what follows; none without folds."""
        return Items([self._on_device(self.validation)]) if self.validation else []

    def test_dataloader(self) -> Items:
        """The origins' pasts, their lengths, and what follows."""
        return Items([self._on_device(self.test)])

    def scale(self, origin: int) -> tuple[float, float]:
        """Mean and standard deviation of the values before an origin."""
        before = self.series[origin - self.train_size : origin]
        return float(before.mean()), float(before.std(correction=0))

    def normalised(self, origin: int) -> Tensor:
        """The values before an origin and after it, normalised by those before."""
        mean, std = self.scale(origin)
        return (self.series[origin - self.train_size : origin + self.horizon] - mean) / std

    def origin(self, origin: int) -> ForecastTask:
        """The task of forecasting from an origin."""
        examples = self.train_size - self.lag - self.steps_ahead + 1
        return ForecastTask(self.normalised(origin), self.train_size, self.horizon, torch.arange(examples))

    def fold(self, number: int) -> ForecastTask:
        """The task of forecasting a fold's values."""
        size, windows = self.validation_size, torch.arange(self.train_size - self.lag)
        ends = windows + self.lag + self.steps_ahead
        if self.folding == "expanding":  # scikit-learn's TimeSeriesSplit of the windows, which wants two folds or more
            held_out = len(windows) - (self.folds - number) * size
            start = held_out + self.lag
            usable = windows[ends <= held_out]
        else:
            start = round(self.lag + (self.train_size - size - self.lag) * (number + 0.5) / self.folds)
            usable = windows[(ends <= start) | ((windows >= start + size) & (ends <= self.train_size))]
        return ForecastTask(self.normalised(self.train_size), start, size, usable)


def _segment(tasks: Sequence[ForecastTask]) -> Batch:
    """Pasts (P, L), zeros before the shorter ones; their lengths (P,); what follows them, (P, T)."""
    lengths = torch.tensor([task.start for task in tasks])
    past = torch.zeros(len(tasks), int(lengths.max()), dtype=torch.float64)
    for row, task in zip(past, tasks, strict=True):
        row[len(row) - task.start :] = task.values[: task.start]
    return past, lengths, torch.stack([task.future for task in tasks])
