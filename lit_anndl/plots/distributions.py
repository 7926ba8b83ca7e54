"""Histograms."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lit_anndl.plots.scales import label_plainly

_BINS = 60


def histograms(values: Mapping[str, NDArray[np.float32]], title: str) -> Figure:
    """A histogram of each, side by side, counts on a logarithmic axis."""
    figure = Figure(figsize=(3.4 * len(values), 3), layout="constrained")
    figure.suptitle(title, fontsize=10)
    for axes, (name, own) in zip(np.ravel(figure.subplots(1, len(values))), values.items(), strict=True):
        axes.hist(own, bins=_BINS, color="C0")
        axes.set(xlabel=name, yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(4))  # of narrow ones the labels are long
        label_plainly(axes.yaxis)
        axes.set_title(f"mean {own.mean():.3g}, s.d. {own.std():.3g}", fontsize=9)
        axes.grid(alpha=0.3)
    return figure
