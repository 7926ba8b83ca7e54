"""Curves over several seeds: the median as a line, the range as a band."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lit_anndl.plots.scales import scale_of, use_log_scale
from lit_anndl.runtime.numbers import significant
from lit_anndl.runtime.records import Table

_LINES = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
"""Of ten colours each."""


@dataclass(frozen=True)
class Curve:
    """A learning curve over several seeds: arrays (epochs,); the seconds are those of the fit so far, if known."""

    epochs: NDArray[np.int64]
    median: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    seconds: NDArray[np.float64] | None

    @classmethod
    def over_seeds(
        cls, epochs: NDArray[np.int64], values: NDArray[np.float64], seconds: NDArray[np.float64] | None = None
    ) -> "Curve":
        """The median and the range of values (seeds, epochs)."""
        return cls(epochs, np.median(values, axis=0), values.min(axis=0), values.max(axis=0), seconds)


def learning_curves(panels: Mapping[str, Mapping[str, Curve]], metric: str, title: str) -> Figure:
    """A metric by epoch and by wall time: medians over the seeds as lines, ranges as bands; a row of axes per panel."""
    timed = any(curve.seconds is not None for curves in panels.values() for curve in curves.values())
    height = max(3.6, *(0.27 * len(curves) for curves in panels.values()))
    figure = Figure(figsize=(13 if timed else 8.5, height * len(panels)), layout="constrained")
    grid = figure.subplots(len(panels), 2 if timed else 1, squeeze=False, sharex="col", sharey=True)
    figure.suptitle(f"{title}: {metric}, median and range over the seeds", fontsize=11)
    scale = scale_of(np.concatenate([c.median for curves in panels.values() for c in curves.values()]))
    for (settings, curves), axes in zip(panels.items(), grid, strict=True):
        for number, (row, curve) in enumerate(curves.items()):
            _draw_band(axes[0], curve.epochs, curve, number, row)
            if curve.seconds is not None:
                _draw_band(axes[1], curve.seconds, curve, number, f"{row}: {significant(curve.seconds[-1], 3)} s")
        axes[0].set(ylabel=metric, title=settings, yscale=scale, xlabel="epoch")
        axes[0].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if timed:
            axes[1].set(xlabel="seconds of training", title=settings)
            use_log_scale(axes[1])
        for each in axes:
            each.grid(alpha=0.3)
        _add_legend(axes, [number for number, curve in enumerate(curves.values()) if curve.seconds is not None])
    return figure


def overlay(tables: Mapping[str, Sequence[Table]], title: str, together: bool) -> Figure:
    """Tables of several runs of each row: the third column against the first, the second in black; or of two columns.

    Together they are in one pair of axes, apart in one each.
    """
    panels = 1 if together else len(tables)
    figure = Figure(
        figsize=(10, max(4.5, 0.27 * len(tables)) if together else 2.4 * panels + 0.5), layout="constrained"
    )
    grid = figure.subplots(panels, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for number, ((row, runs), axes) in enumerate(zip(tables.items(), cycle(grid), strict=False)):
        x, *reference, y = list(runs[0])[:3]
        steps = np.array(runs[0][x])
        curve = Curve.over_seeds(steps, np.array([run[y] for run in runs], dtype=np.float64))
        if reference and number < panels:
            axes.plot(steps, runs[0][reference[0]], color="black", linewidth=1, label=reference[0])
        _draw_band(axes, steps, curve, number, row)
        axes.set(ylabel=y)
        axes.grid(alpha=0.3)
        _add_legend([axes], [])
    grid[-1].set(xlabel=x)
    figure.suptitle(f"{title}, median and range over the seeds", fontsize=11)
    return figure


def _draw_band(axes: Axes, x: NDArray[Any], curve: Curve, number: int, label: str) -> None:
    """One row's curve with its range."""
    color, line = f"C{number % 10}", _LINES[number // 10 % len(_LINES)]
    marker = "." if len(x) <= 50 else None
    axes.plot(x, curve.median, label=label, marker=marker, linewidth=1.2, color=color, linestyle=line)
    axes.fill_between(x, curve.lowest, curve.highest, color=color, alpha=0.15, linewidth=0)


def _add_legend(axes: Sequence[Axes], timed: Sequence[int]) -> None:
    """A legend beside a row of axes, in which the curves of some numbers are named with their seconds."""
    handles, labels = (list(each) for each in axes[0].get_legend_handles_labels())
    for place, number in enumerate(timed):
        labels[number] = axes[-1].get_legend_handles_labels()[1][place]
    axes[-1].legend(handles, labels, loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
