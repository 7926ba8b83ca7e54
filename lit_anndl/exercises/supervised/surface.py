"""A small model for a small data set: fit a noisy surface with a 2-h-h-1 network (exercise 1.3)."""

from collections.abc import Iterator

import torch
from matplotlib.figure import Figure

from lit_anndl.data.surface import EXTENT, SurfaceData
from lit_anndl.exercises.supervised.bivariate_regression import BivariateRegression
from lit_anndl.plots.learning import curves
from lit_anndl.plots.surfaces import heatmap, surfaces
from lit_anndl.runtime.records import History


class Surface(BivariateRegression[SurfaceData]):
    """Least squares by a multilayer perceptron, on noisy values of a surface.

    `train/mse` is against the noisy values, `val/mse` against held-out noisy values, `test/mse` against the clean
    surface f. Of the data: `noise/power` = mean n² (the residual of f itself) and
    `noise/snr` = 10 log₁₀(mean f² / mean n²) dB, n the noise on the whole grid. Of the fit: `final/snr` =
    10 log₁₀(mean z² / `final/mse`) dB, z = f + n the training targets.
    """

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """Signal-to-noise ratios beside the rest."""
        return (*super().summaries(), "noise/power", "noise/snr", "final/snr")

    def on_train_epoch_start(self) -> None:
        """Begins another surface with a fresh optimizer, and the weights as they are."""
        data: SurfaceData = self.trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it in fit
        if data.begins_surface(self.current_epoch):
            self.optimizer.state.clear()

    def summary(self, data: SurfaceData, history: History) -> dict[str, float]:
        """The noise, and the signal-to-noise ratios before and after training, as far as they are finite."""
        summary = super().summary(data, history)
        clean, noise = data.test[1], data.noisy - data.test[1]
        summary["noise/power"] = power(noise)
        if summary["final/mse"]:
            summary["final/snr"] = _decibels(power(data.train[1]) / summary["final/mse"])
        if data.noise:
            summary["noise/snr"] = _decibels(power(clean) / power(noise))
        return summary

    def figures(self, data: SurfaceData, history: History) -> Iterator[tuple[str, Figure]]:
        """Training curve, the surfaces side by side, squared residuals."""
        shape = (data.grid_size, data.grid_size)
        clean, noisy, fit = (z.view(shape).numpy() for z in (data.test[1], data.noisy, torch.cat(self.test_outputs)))
        yield "curves", curves(history, ["train/mse", "val/mse"], "mean squared error", log=True)
        yield "surfaces", surfaces({"clean": clean, f"noisy (σ = {data.noise:g})": noisy, "fit": fit}, EXTENT)
        yield "squared_residuals", heatmap((fit - clean) ** 2, EXTENT, "(fit – clean surface)²", "squared residual")


def power(signal: torch.Tensor) -> float:
    """The mean square."""
    return float(signal.square().mean())


def _decibels(ratio: float) -> float:
    """10 log₁₀ of a ratio of powers, in dB."""
    return float(10 * torch.tensor(ratio, dtype=torch.float64).log10())
