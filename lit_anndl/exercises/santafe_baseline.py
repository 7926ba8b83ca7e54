"""The Santa Fe laser by methods to compare with: mean, linear, kernel ridge, echo state network (exercise 2.2)."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from jsonargparse.typing import NonNegativeFloat, PositiveFloat, PositiveInt
from lightning.pytorch import LightningDataModule
from matplotlib.figure import Figure
from numpy.typing import NDArray
from reservoirpy.nodes import Reservoir
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from lit_anndl.data.santafe import Problem, SantaFeData
from lit_anndl.errors import InputError
from lit_anndl.exercises.shared.baselines import WASHOUT, Baseline, EchoState, Mean, Regression
from lit_anndl.exercises.shared.forecasts import TEST_METRICS, VALIDATION_METRICS, Forecasts, fold_metrics
from lit_anndl.training.batches import Batch
from lit_anndl.training.exercise import Exercise, History, Table


class SantaFeBaseline(Exercise):
    """Forecasts by methods of scikit-learn and reservoirpy, fitted at each fold and origin in closed form.

    Metrics: `train/mse`, the normalised error one step ahead over the later half of the first origin's past; the
    others as in `exercises.shared.forecasting.Forecasting`.

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
        self.automatic_optimization = False
        self.free = np.zeros((0, 0))

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """Those of all forecasts."""
        return ("train/mse", *VALIDATION_METRICS, *TEST_METRICS)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """None: all methods are in closed form."""
        return []

    def check(self, data: LightningDataModule) -> None:
        """Refuses folds that an echo state network cannot learn from."""
        assert isinstance(data, SantaFeData)
        if self.method == "echo_state" and data.folds and data.folding == "blocks":
            raise InputError(
                "data.folding blocks was given, expected expanding: an echo state cannot jump over a block"
            )
        shortest = min(problem.start for problem in [*data.held_out, *data.ahead])
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

    def training_step(self, _batches: list[Batch], _: int) -> None:
        """Measures what is learnt from the first origin's past."""
        data = self.data()
        problem = data.ahead[0]
        baseline = self.baseline(data.lag)
        baseline.learn(problem)
        past = problem.values[: problem.start].numpy()
        earlier, later = np.split(past, [max(len(past) // 2, data.lag)])
        mse = np.mean((baseline.guided(earlier, later) - later) ** 2)
        self.log("train/mse", torch.tensor(mse), on_step=False, on_epoch=True)

    def validation_step(self, _batch: Batch, _: int) -> None:
        """Logs the folds' errors."""
        guided, free = self.forecast(self.data().held_out)
        future = torch.stack([problem.future for problem in self.data().held_out])
        self.log_dict(fold_metrics(torch.from_numpy(guided), torch.from_numpy(free), future))

    def test_step(self, _batch: Batch, _: int) -> None:
        """Keeps the forecasts, normalised."""
        self.free = self.forecast(self.data().ahead)[1]
        self.log_dict(self.forecasts(self.data()).metrics())

    def forecast(self, problems: Sequence[Problem]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of each problem's future, learning anew for each, from true values and in closed loop: (P, T) each."""
        guided, free = [], []
        for problem in problems:
            baseline = self.baseline(self.data().lag)
            baseline.learn(problem)
            past = problem.values[: problem.start].numpy()
            guided.append(baseline.guided(past, problem.future.numpy()))
            free.append(baseline.closed_loop(past, problem.size))
        return np.array(guided), np.array(free)

    def data(self) -> SantaFeData:
        """The data of the run."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it
        assert isinstance(data, SantaFeData)
        return data

    def forecasts(self, data: LightningDataModule) -> Forecasts:
        """The tested forecasts."""
        assert isinstance(data, SantaFeData)
        return Forecasts.of(data, self.free[:, None])

    def tables(self, data: LightningDataModule) -> Iterator[tuple[str, Table]]:
        """The first forecast, the origins' errors."""
        yield from self.forecasts(data).tables().items()

    def figures(self, data: LightningDataModule, history: History) -> Iterator[tuple[str, Figure]]:
        """The first forecast, the origins' errors."""
        yield from self.forecasts(data).figures().items()
