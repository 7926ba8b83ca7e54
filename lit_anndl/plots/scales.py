"""Axes on which values that spread can be told apart."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

_LABELS = 8
"""About as many find room along an axis."""


def scale_of(values: Sequence[float] | NDArray[np.float64]) -> str:
    """Logarithmic for positive values over more than an order of magnitude, else linear."""
    wide = len(values) > 0 and min(values) > 0 and max(values) > 20 * min(values)
    return "log" if wide else "linear"


def use_log_scale(axes: Axes) -> None:
    """Gives axes a logarithmic x axis whose few labels are plain numbers."""
    axes.set_xscale("log")
    label_plainly(axes.xaxis)


def label_plainly(axis: Axis) -> None:
    """Gives a logarithmic axis, once all is drawn, few labels that are plain numbers, however little it spans."""
    low, high = axis.get_view_interval()
    if high < 4 * low:
        axis.set_major_locator(MaxNLocator(_LABELS, steps=[1, 2, 5, 10]))
    else:
        axis.set_major_locator(LogLocator(subs=_marked(high / low)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _marked(ratio: float) -> tuple[int, ...]:
    """Which multiples of powers of ten are labelled on an axis that spans such a ratio."""
    if ratio < 100:
        return (1, 2, 3, 5)
    return (1, 3) if ratio < 1000 else (1,)
