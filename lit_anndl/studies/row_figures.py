"""What a study shows: numbers in, figure out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from lit_anndl.runtime.records import Table
from lit_anndl.studies.convergence import Arrival, ranks
from lit_anndl.tracking.run_records import Record

Picture = NDArray[Any]
"""Pixels (height, width, RGB)."""


@dataclass(frozen=True)
class Curve:
    """A learning curve over several seeds: arrays (epochs,); the seconds are those of the fit so far, if known."""

    epochs: NDArray[np.int64]
    median: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    seconds: NDArray[np.float64] | None


def summarise(records: Sequence[Record], metric: str) -> Curve | None:
    """The median and the range of a metric over runs, at the epochs that all of them have; None if there are none."""
    curves = [dict(record.history.get(metric, [])) for record in records]
    epochs = sorted(set.intersection(*(set(curve) for curve in curves))) if curves else []
    if not epochs:
        return None
    values = np.array([[curve[epoch] for epoch in epochs] for curve in curves])
    timed = all(len(record.elapsed) > epochs[-1] for record in records)
    seconds = np.median([[r.elapsed[epoch] for epoch in epochs] for r in records], axis=0) if timed else None
    return Curve(np.array(epochs), np.median(values, axis=0), values.min(axis=0), values.max(axis=0), seconds)


def rows(values: Mapping[str, Sequence[float]], xlabel: str, title: str) -> Figure:
    """Measured values, a line per row of a table: a dot per seed, a bar at the median; logarithmic if they spread."""
    figure = Figure(figsize=(7, 0.45 * len(values) + 1.2), layout="constrained")
    axes = figure.subplots()
    for position, measured in enumerate(values.values()):
        axes.plot(measured, [position] * len(measured), "o", alpha=0.5, color="C0")
        axes.plot([np.median(measured)] * 2, [position - 0.3, position + 0.3], color="C1", linewidth=2)
    scale = scale_of([value for measured in values.values() for value in measured])
    axes.set(xlabel=xlabel, xscale=scale, yticks=range(len(values)), yticklabels=list(values))
    axes.set_title(f"{title}: a dot per seed, a bar at the median", fontsize=10)
    axes.invert_yaxis()
    axes.grid(alpha=0.3)
    return figure


def scale_of(values: Sequence[float] | NDArray[np.float64]) -> str:
    """Logarithmic for positive values over more than an order of magnitude, else linear."""
    wide = len(values) > 0 and min(values) > 0 and max(values) > 20 * min(values)
    return "log" if wide else "linear"


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
                _draw_band(axes[1], curve.seconds, curve, number, f"{row}: {curve.seconds[-1]:.3g} s")
        axes[0].set(ylabel=metric, title=settings, yscale=scale, xlabel="epoch")
        axes[0].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if timed:
            axes[1].set(xlabel="seconds of training", title=settings)
            _use_log_scale(axes[1])
        for each in axes:
            each.grid(alpha=0.3)
        timed_curves = [number for number, curve in enumerate(curves.values()) if curve.seconds is not None]
        handles, labels = (list(each) for each in axes[0].get_legend_handles_labels())
        for place, number in enumerate(timed_curves):  # with their seconds, where these are known
            labels[number] = axes[-1].get_legend_handles_labels()[1][place]
        axes[-1].legend(handles, labels, loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
    return figure


def _use_log_scale(axes: Axes) -> None:
    """A logarithmic x axis whose few labels are plain numbers."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3) if high > 100 * low else (1, 2, 3, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_band(axes: Axes, x: NDArray[Any], curve: Curve, number: int, label: str) -> None:
    """One row's curve with its range."""
    color, line = f"C{number % 10}", ("-", "--", ":")[number // 10 % 3]
    marker = "." if len(x) <= 50 else None
    axes.plot(x, curve.median, label=label, marker=marker, linewidth=1.2, color=color, linestyle=line)
    axes.fill_between(x, curve.lowest, curve.highest, color=color, alpha=0.15, linewidth=0)


def convergence(found: Mapping[str, Mapping[float, Arrival]], metric: str) -> Figure:
    """When each row stays below each threshold, by epochs and by seconds: median, range, place by the median."""
    thresholds = list(next(iter(found.values()), {}))
    height = 0.28 * len(found) * max(1, len(thresholds)) + 1.6 + 0.2 * len(thresholds)
    figure = Figure(figsize=(12, height), layout="constrained")
    figure.suptitle("\n".join(first_to_arrive(found, metric, each) for each in thresholds), fontsize=10)
    panels = figure.subplots(1, 2, sharey=True)
    for unit, axes in zip(("epochs", "seconds"), panels, strict=True):
        for number, threshold in enumerate(thresholds):
            values = {row: getattr(each[threshold], unit) for row, each in found.items()}
            offset = 0.7 * ((number + 0.5) / len(thresholds) - 0.5)
            _draw_arrivals(axes, values, offset, f"C{number}", f"{metric} < {threshold:g}")
        axes.set(xlabel=f"{unit} until it stays below", yticks=range(len(found)), yticklabels=list(found))
        if any(reached(getattr(arrival, unit)) for each in found.values() for arrival in each.values()):
            _use_log_scale(axes)
        axes.grid(alpha=0.3)
    panels[0].set_ylim(len(found) - 0.5, -0.5)
    panels[1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8, title="median, range, place")
    return figure


def first_to_arrive(found: Mapping[str, Mapping[float, Arrival]], metric: str, threshold: float) -> str:
    """In words, which row stays below a threshold first."""
    at = {row: each[threshold] for row, each in found.items()}
    said = []
    for unit in ("epochs", "seconds"):
        counts = {row: getattr(arrival, unit) for row, arrival in at.items()}
        if first := [row for row, place in ranks(counts).items() if place == 1]:
            median = float(np.median(counts[first[0]]))
            said.append(f"{' and '.join(first)} by {unit} ({median:.3g})")
    return f"first to stay below {metric} {threshold:g}: {', '.join(said) or 'none'}"


def _draw_arrivals(axes: Axes, values: Mapping[str, Sequence[float]], offset: float, color: str, label: str) -> None:
    """Medians as dots with their place, ranges as lines; how many reach it, where the median run does not."""
    places = ranks(values)
    for position, (row, each) in enumerate(values.items()):
        finite, y = reached(each), position + offset
        if place := places[row]:
            end = (max(finite), y)
            axes.plot([min(finite), max(finite)], [y, y], color=color, linewidth=1)
            axes.plot(float(np.median(each)), y, "o", color=color, markersize=4)
            axes.annotate(_ordinal(place), end, (4, 0), textcoords="offset points", va="center", fontsize=7)
        else:
            never = f"{len(finite)} of {len(each)}" if finite else "never"
            said = "unknown" if any(map(math.isnan, each)) else never
            axes.text(0.01, y, said, transform=axes.get_yaxis_transform(), color=color, va="center", fontsize=7)
    axes.plot([], [], "o-", color=color, label=label)


def _ordinal(place: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    suffix = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{suffix}"


def reached(values: Sequence[float]) -> list[float]:
    """Those that are finite."""
    return [value for value in values if math.isfinite(value)]


def overlay(tables: Mapping[str, Sequence[Table]], title: str, together: bool) -> Figure:
    """Tables of several runs of each row: the third column against the first, the second in black.

    Together they are in one pair of axes, apart in one each.
    """
    panels = 1 if together else len(tables)
    figure = Figure(figsize=(9, 4.5 if together else 2.4 * panels + 0.5), layout="constrained")
    grid = figure.subplots(panels, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for number, ((row, runs), axes) in enumerate(zip(tables.items(), cycle(grid), strict=False)):
        x, reference, y = list(runs[0])[:3]
        values = np.array([run[y] for run in runs], dtype=np.float64)
        steps = np.array(runs[0][x])
        curve = Curve(steps, np.median(values, axis=0), values.min(axis=0), values.max(axis=0), None)
        if number < panels:
            axes.plot(steps, runs[0][reference], color="black", linewidth=1, label=reference)
        _draw_band(axes, steps, curve, number, f"{row}: {y}, median and range of {len(runs)} runs")
        axes.set(ylabel=y)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper left", ncols=2)
    grid[-1].set(xlabel=x)
    figure.suptitle(title, fontsize=11)
    return figure


def gallery(pictures: Mapping[str, Sequence[Picture | None]], title: str) -> Figure:
    """Figures of several runs: a line of pictures per row, under its name; what is None stays empty."""
    shapes = [[picture.shape if picture is not None else (1, 0) for picture in line] for line in pictures.values()]
    widths = [max(shape[1] / shape[0] for shape in column) or 1.0 for column in zip(*shapes, strict=True)]
    figure = Figure(figsize=(2.6 * sum(widths), 2.9 * len(pictures)), layout="constrained")
    figure.suptitle(title, fontsize=12)
    grid = figure.subplots(len(pictures), len(widths), squeeze=False, width_ratios=widths)
    for axes in grid.flat:
        axes.axis("off")
    for (row, own), line in zip(pictures.items(), grid, strict=True):
        line[0].set_title(row, loc="left", fontsize=11)
        for axes, picture in zip(line, own, strict=True):
            if picture is not None:
                axes.imshow(picture)
    return figure
