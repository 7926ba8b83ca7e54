"""The Santa Fe laser by methods to compare with: mean, linear, kernel ridge, echo state network (exercise 2.2)."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from jsonargparse.typing import NonNegativeFloat, PositiveFloat, PositiveInt
from matplotlib.figure import Figure
from numpy.typing import NDArray
from reservoirpy.nodes import Reservoir
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from lit_anndl.data.batches import Batch
from lit_anndl.data.santafe import ForecastTask, SantaFeData
from lit_anndl.exercises.recurrent.baselines import WASHOUT, Baseline, EchoState, Mean, Regression
from lit_anndl.exercises.recurrent.forecast_results import METRICS, Forecasts, fold_metrics
from lit_anndl.modules.exercise import Exercise, Metrics
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History, Table


class SantaFeBaseline(Exercise[SantaFeData]):
    """Forecasts by methods of scikit-learn and reservoirpy, fitted at each fold and origin in closed form.

    Metrics: `train/mse`, the normalised error one step ahead over the later half of the first origin's past; the
    others as in `SantaFe`.

    Args:
        method: mean; linear, ridge regression on a window; kernel_ridge, with exp(-γ d²); or echo_state.
        alpha: the ridge penalty of all but the mean.
        gamma: γ.
        units: of the echo state network.
        spectral_radius: of its recurrent weights.
        leak: how much of its state is new at each step, at most 1.
        input_scaling: of its input weights.

    Raises:
        InputError: a leak above 1; an echo state network on folds in blocks, or with less than 100 values to learn
            from.
    """

    def __init__(
        self,
        method: Literal["mean", "linear", "kernel_ridge", "echo_state"] = "kernel_ridge",
        alpha: NonNegativeFloat = 1e-4,
        gamma: PositiveFloat = 0.06,
        units: PositiveInt = 500,
        spectral_radius: PositiveFloat = 0.9,
        leak: PositiveFloat = 0.5,
        input_scaling: PositiveFloat = 1.0,
    ) -> None:
        super().__init__()
        if leak > 1:
            raise InputError(f"model.leak {leak:g} was given, expected 1 at most")
        self.method = method
        self.alpha = alpha
        self.gamma = gamma
        self.reservoir = {"units": units, "sr": spectral_radius, "lr": leak, "input_scaling": input_scaling}
        self.closed_loop = np.zeros((0, 0))

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """Those of all forecasts."""
        return METRICS

    def build(self, data: SantaFeData) -> None:
        """Keeps the data, which each method is fitted to in its own way."""
        self.data = data

    def check(self, data: SantaFeData) -> None:
        """Refuses folds that an echo state network cannot learn from."""
        if self.method == "echo_state" and data.folds and data.folding == "blocks":
            raise InputError(
                "data.folding blocks was given, expected expanding: an echo state cannot jump over a block"
            )
        shortest = min(task.start for task in [*data.held_out, *data.ahead])
        if self.method == "echo_state" and shortest < 2 * WASHOUT:
            raise InputError(
                f"an echo state network has {shortest} values to learn from, expected {2 * WASHOUT} or more"
            )

    def baseline(self, lag: int) -> Baseline:
        """The method, nothing learnt yet."""
        if self.method == "mean":
            return Mean()
        if self.method == "echo_state":
            return EchoState(Reservoir(**self.reservoir, seed=torch.initial_seed() % 2**32), self.alpha)
        linear = self.method == "linear"
        return Regression(
            Ridge(alpha=self.alpha) if linear else KernelRidge(kernel="rbf", gamma=self.gamma, alpha=self.alpha), lag
        )

    def train_batch(self, batch: Batch) -> Metrics:
        """Measures what is learnt from the first origin's past."""
        task = self.data.ahead[0]
        baseline = self.baseline(self.data.lag)
        baseline.fit(task)
        past = task.values[: task.start].numpy()
        earlier, later = np.split(past, [max(len(past) // 2, self.data.lag)])
        return {"mse": torch.tensor(np.mean((baseline.teacher_forced(earlier, later) - later) ** 2))}

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        """The folds' errors; the origins', whose normalised forecasts are kept."""
        if stage == "val":
            teacher_forced, closed_loop = self.forecast(self.data.held_out)
            future = torch.stack([task.future for task in self.data.held_out])
            return fold_metrics(torch.from_numpy(teacher_forced), torch.from_numpy(closed_loop), future)
        self.closed_loop = self.forecast(self.data.ahead)[1]
        return self.forecasts(self.data).metrics()

    def forecast(self, tasks: Sequence[ForecastTask]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of each task's future, learning anew for each, from true values and in closed loop: (P, T) each."""
        teacher_forced, closed_loop = [], []
        for task in tasks:
            baseline = self.baseline(self.data.lag)
            baseline.fit(task)
            past = task.values[: task.start].numpy()
            teacher_forced.append(baseline.teacher_forced(past, task.future.numpy()))
            closed_loop.append(baseline.closed_loop(past, task.size))
        return np.array(teacher_forced), np.array(closed_loop)

    def forecasts(self, data: SantaFeData) -> Forecasts:
        """The tested forecasts."""
        return Forecasts.of(data, self.closed_loop[:, None])

    def tables(self, data: SantaFeData) -> Iterator[tuple[str, Table]]:
        """The first forecast, the origins' errors."""
        yield from self.forecasts(data).tables().items()

    def figures(self, data: SantaFeData, history: History) -> Iterator[tuple[str, Figure]]:
        """The first forecast, the origins' errors."""
        yield from self.forecasts(data).figures().items()
