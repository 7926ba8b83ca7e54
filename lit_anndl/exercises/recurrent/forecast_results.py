"""Forecasts from several origins, and what they are worth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from lit_anndl.data.santafe import SantaFeData
from lit_anndl.modules.exercise import Metrics
from lit_anndl.plots.forecasts import errors_by_origin, forecast
from lit_anndl.runtime.records import Table

_FOLD_METRICS = ("mse", "log_mse", "nmse", "log_nmse")
_ORIGIN_METRICS = ("mse", "nmse", "nmse_median", "nmse_mean", "nmse_lower", "nmse_upper")
METRICS = ("train/mse", *(f"val/{name}" for name in _FOLD_METRICS), *(f"test/{name}" for name in _ORIGIN_METRICS))
"""What all exercises on this series log."""


@dataclass(frozen=True)
class Forecasts:
    """Forecasts in the series' own units.

    Args:
        origins: index of the first value that each forecasts, (O,).
        truth: (O, T).
        members: those of each member of an ensemble, (O, M, T); their mean is the forecast.
    """

    origins: Sequence[int]
    truth: NDArray[np.float64]
    members: NDArray[np.float64]

    @staticmethod
    def of(data: SantaFeData, normalised: NDArray[np.float64]) -> "Forecasts":
        """From normalised forecasts (O, M, T) of the origins of the data."""
        scales = np.array([data.scale(origin) for origin in data.origins])[:, :, None, None]  # (O, 2, 1, 1)
        truth = [data.series[origin : origin + data.horizon].numpy() for origin in data.origins]
        return Forecasts(data.origins, np.array(truth), scales[:, 0] + scales[:, 1] * normalised)

    @property
    def values(self) -> NDArray[np.float64]:
        """The forecasts (O, T)."""
        mean: NDArray[np.float64] = self.members.mean(axis=1)
        return mean

    @property
    def mse(self) -> NDArray[np.float64]:
        """Mean squared errors, (O,)."""
        errors: NDArray[np.float64] = ((self.values - self.truth) ** 2).mean(axis=1)
        return errors

    @property
    def nmse(self) -> NDArray[np.float64]:
        """Mean squared errors over the variance of the true values of each origin, (O,)."""
        errors: NDArray[np.float64] = self.mse / self.truth.var(axis=1)
        return errors

    def metrics(self) -> Metrics:
        """`mse` and `nmse` from the first origin; median, mean and quartiles of the NMSE over all."""
        lower, median, upper = np.quantile(self.nmse, [0.25, 0.5, 0.75])
        values = (self.mse[0], self.nmse[0], median, self.nmse.mean(), lower, upper)
        return {
            name: torch.tensor(value, dtype=torch.float64) for name, value in zip(_ORIGIN_METRICS, values, strict=True)
        }

    def tables(self) -> dict[str, Table]:
        """The first origin's forecast, and all origins' errors."""
        spread = [self.members[0].min(axis=0), self.members[0].max(axis=0)]
        columns = [column.tolist() for column in (self.truth[0], self.values[0], *spread)]
        names = ("true", "forecast", "lowest member", "highest member")
        steps = list(range(1, len(self.truth[0]) + 1))
        return {
            "forecast": {"step": steps, **dict(zip(names, columns, strict=True))},
            "origins": {"origin": list(self.origins), "mse": self.mse.tolist(), "nmse": self.nmse.tolist()},
        }

    def figures(self) -> dict[str, Figure]:
        """The first origin's forecast; with several origins, their errors."""
        title = f"{len(self.truth[0])} values from {self.origins[0]} on: NMSE {self.nmse[0]:.4g}"
        found = {"forecast": forecast(self.truth[0], self.members[0], title)}
        if len(self.origins) > 1:
            found["origins"] = errors_by_origin(self.origins, self.nmse)
        return found


def fold_metrics(teacher_forced: Tensor, closed_loop: Tensor, future: Tensor) -> Metrics:
    """The folds' errors: of each value from true ones before it, and in closed loop over its variance; all (F, T)."""
    mse = (teacher_forced - future).square().mean(dim=1)
    nmse = (closed_loop - future).square().mean(dim=1) / future.var(dim=1, correction=0)
    values = (mse.mean(), mse.log10().mean(), nmse.mean(), nmse.log10().mean())
    return {
        **dict(zip(_FOLD_METRICS, values, strict=True)),
        **{f"mse_{number}": error for number, error in enumerate(mse, start=1)},
        **{f"nmse_{number}": error for number, error in enumerate(nmse, start=1)},
    }
