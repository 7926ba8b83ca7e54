"""What rows have measured, and what was published of them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from lit_anndl.plots.scales import scale_of


def values_by_row(
    measured: Mapping[str, Sequence[float]],
    metric: str,
    *,
    published: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
    title: str = "",
) -> Figure:
    """A line per row: a dot per seed, a bar at the median, each source's number as its letter; wide spreads by powers.

    Args:
        measured: for each row a value per seed.
        metric: what is measured.
        published: for some rows numbers by source.
        title: of the figure.
    """
    names = list(dict.fromkeys([*measured, *published]))
    figure = Figure(figsize=(7.5, 0.36 * len(names) + (1.3 if title else 1)), layout="constrained")
    axes = figure.subplots()
    for position, name in enumerate(names):
        if values := list(measured.get(name, [])):
            axes.plot(values, [position] * len(values), "o", alpha=0.45, color="C0", markersize=5)
            axes.plot([np.median(values)] * 2, [position - 0.3, position + 0.3], color="C1", linewidth=2)
        for source, number in published.get(name, {}).items():
            box = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": "C3", "linewidth": 1}
            axes.plot(number, position, alpha=0)  # so that the axis reaches it
            axes.text(number, position, source, ha="center", va="center", color="C3", fontsize=7, bbox=box)
    shown = [value for each in (*measured.values(), *(by.values() for by in published.values())) for value in each]
    axes.set(xlabel=metric, xscale=scale_of(shown), yticks=range(len(names)), yticklabels=names)
    axes.set_title(title, fontsize=10)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.margins(x=0.06)
    axes.grid(alpha=0.3)
    return figure


def agreement(ratios: Mapping[str, Sequence[float]], colours: Mapping[str, Sequence[str]]) -> Figure:
    """Published numbers as multiples of the measured medians, a line per study, in the colours of their verdicts."""
    figure = Figure(figsize=(8, 0.3 * len(ratios) + 1.2), layout="constrained")
    axes = figure.subplots()
    axes.axvline(1, color="black", linewidth=0.8)
    for position, (name, values) in enumerate(ratios.items()):
        axes.scatter(values, [position] * len(values), c=colours[name], s=28, alpha=0.6, linewidths=0)
    axes.set(xscale="log", yticks=range(len(ratios)), yticklabels=list(ratios), xlabel="published ÷ measured median")
    axes.set_title("published numbers: green inside the measured range, red outside, violet slips", fontsize=10)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(len(ratios) - 0.5, -0.5)
    axes.grid(alpha=0.3)
    return figure
