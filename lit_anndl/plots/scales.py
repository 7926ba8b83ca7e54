"""Axes on which values that spread can be told apart."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray


def scale_of(values: Sequence[float] | NDArray[np.float64]) -> str:
    """Logarithmic for positive values over more than an order of magnitude, else linear."""
    wide = len(values) > 0 and min(values) > 0 and max(values) > 20 * min(values)
    return "log" if wide else "linear"


def use_log_scale(axes: Axes) -> None:
    """Gives axes a logarithmic x axis whose few labels are plain numbers."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3) if high > 100 * low else (1, 2, 3, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
