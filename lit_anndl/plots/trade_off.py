"""What a metric costs."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lit_anndl.plots.scales import use_log_scale

_MARKERS = "os^vDP"
"""Of ten colours each."""


def trade_off(
    costs: Mapping[str, Mapping[str, Sequence[float]]], values: Mapping[str, Sequence[float]], metric: str, title: str
) -> Figure:
    """A metric against each of some costs, a panel each: medians over the seeds as dots, ranges as lines.

    Args:
        costs: by the cost's name and the row's, a number per seed.
        values: the metric by row; a row whose costs are not known is left out of their panel.
        metric: its name.
        title: of the figure.
    """
    figure = Figure(figsize=(5.2 * len(costs) + 2.6, 4.4), layout="constrained")
    figure.suptitle(f"{title}: median and range over the seeds", fontsize=11)
    panels = np.ravel(figure.subplots(1, len(costs), sharey=True, squeeze=False))
    for axes, (cost, by_row) in zip(panels, costs.items(), strict=True):
        for number, (row, y) in enumerate(values.items()):
            if not (x := by_row.get(row)):
                continue
            axes.errorbar(
                np.median(x),
                np.median(y),
                xerr=_to_the_ends(x),
                yerr=_to_the_ends(y),
                fmt=_MARKERS[number // 10 % len(_MARKERS)],
                color=f"C{number % 10}",
                linewidth=1,
                label=row,
            )
        axes.set(xlabel=cost)
        if all(each > 0 for x in by_row.values() for each in x):
            use_log_scale(axes)
        axes.xaxis.set_major_formatter("{x:,.10g}")
        axes.grid(alpha=0.3)
    panels[0].set(ylabel=metric)
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
    return figure


def _to_the_ends(values: Sequence[float]) -> NDArray[np.float64]:
    """How far the lowest and the highest lie from the median: (2, 1)."""
    middle = np.median(values)
    return np.array([[middle - min(values)], [max(values) - middle]])
