"""How long rows take to get somewhere, side by side."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lit_anndl.plots.scales import use_log_scale

Ranked = Mapping[str, tuple[Sequence[float], int | None]]
"""For each row a count per seed, infinite where it never arrives, NaN where it is not known; and the row's place."""


def arrivals(panels: Mapping[str, Mapping[str, Ranked]], title: str) -> Figure:
    """Medians as dots with their place, ranges as lines; axes for each unit, in them a colour for each threshold."""
    thresholds = len(next(iter(panels.values()), {}))
    rows = list(dict.fromkeys(row for found in panels.values() for ranked in found.values() for row in ranked))
    figure = Figure(figsize=(12, 0.28 * len(rows) * max(1, thresholds) + 1.6 + 0.2 * thresholds), layout="constrained")
    figure.suptitle(title, fontsize=10)
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for (unit, found), axes in zip(panels.items(), grid, strict=True):
        for number, (label, ranked) in enumerate(found.items()):
            offset = 0.7 * ((number + 0.5) / thresholds - 0.5)
            _draw(axes, ranked, offset, f"C{number}", label)
        axes.set(xlabel=f"{unit} until it stays below", yticks=range(len(rows)), yticklabels=rows)
        if any(_reached(values) for ranked in found.values() for values, _ in ranked.values()):
            use_log_scale(axes)
        axes.grid(alpha=0.3)
    grid[0].set_ylim(len(rows) - 0.5, -0.5)
    grid[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8, title="median, range, place")
    return figure


def _draw(axes: Axes, ranked: Ranked, offset: float, color: str, label: str) -> None:
    """One threshold; how many runs reach it, where the median run does not."""
    for position, (each, place) in enumerate(ranked.values()):
        finite, y = _reached(each), position + offset
        if place:
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


def _reached(values: Sequence[float]) -> list[float]:
    """Those that are finite."""
    return [value for value in values if math.isfinite(value)]
