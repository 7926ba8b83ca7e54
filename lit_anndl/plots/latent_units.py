"""How much the units of a code are used."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

_SMALLEST = 1e-6


def unit_activity(variances: NDArray[np.float32], threshold: float) -> Figure:
    """The variance over images of each unit's mean (units,), largest first; those above a threshold are active."""
    ordered = np.sort(variances)[::-1].clip(min=_SMALLEST)
    active = int((ordered > threshold).sum())
    figure = Figure(figsize=(6, 3.4), layout="constrained")
    axes = figure.subplots()
    ranks = np.arange(1, len(ordered) + 1)
    axes.plot(ranks[:active], ordered[:active], ".", color="C0", label="active")
    axes.plot(ranks[active:], ordered[active:], ".", color="C7", label="inactive")
    axes.axhline(threshold, color="black", linestyle="--", linewidth=0.8)
    axes.set(xlabel="unit of the code, the most active first", ylabel="variance over images of E[z | x]", yscale="log")
    axes.set_title(f"{active} of {len(ordered)} units active: variance above {threshold:g}", fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    return figure
