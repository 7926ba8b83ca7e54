"""Forecasts of a series."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray


def forecast(truth: NDArray[np.float64], members: NDArray[np.float64], title: str) -> Figure:
    """True values (T,), the mean forecast of several members (M, T) with their range, and its error below."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    steps, mean = np.arange(1, len(truth) + 1), members.mean(axis=0)
    upper.plot(steps, truth, color="black", linewidth=1.2, label="true")
    upper.plot(steps, mean, color="C1", linewidth=1.2, label="forecast")
    if len(members) > 1:
        label = f"range of {len(members)} members"
        upper.fill_between(steps, members.min(axis=0), members.max(axis=0), color="C1", alpha=0.25, label=label)
    lower.plot(steps, mean - truth, color="C3", linewidth=1)
    upper.set(ylabel="intensity", title=title)
    lower.set(xlabel="step of the closed loop", ylabel="error")
    upper.legend(fontsize=8, loc="upper right", ncols=3)
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    return figure


def errors_by_origin(origins: Sequence[int], nmse: NDArray[np.float64]) -> Figure:
    """The normalised error of each origin along the series, and how many are below each value."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    along, share = figure.subplots(1, 2, sharey=True, width_ratios=[2, 1])
    along.plot(origins, nmse, "o", markersize=4)
    along.axhline(float(np.median(nmse)), color="C1", label=f"median {np.median(nmse):.3g}")
    along.set(xlabel="origin", ylabel="NMSE", yscale="log")
    along.legend(fontsize=8)
    share.plot(np.linspace(0, 1, len(nmse)), np.sort(nmse), ".-")
    share.set(xlabel="share of the origins below")
    for axes in (along, share):
        axes.grid(alpha=0.3)
    return figure
