"""Attention weights, and what attention costs."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray


def attention_weights(panels: Mapping[str, NDArray[np.float64]]) -> Figure:
    """Weights (N, N) by title, queries in rows, keys in columns, on one scale."""
    figure = Figure(figsize=(3.2 * len(panels) + 0.8, 3.6), layout="constrained")
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    most = max(float(weights.max()) for weights in panels.values())
    for axes, (title, weights) in zip(grid, panels.items(), strict=True):
        shown = axes.imshow(weights, cmap="viridis", vmin=0, vmax=most)
        axes.set(title=title, xlabel="key", ylabel="query")
    figure.colorbar(shown, ax=list(grid), label="attention")
    return figure


def cost(lengths: Sequence[int], curves: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """What attention costs against the length of the sequence: panels by quantity, curves by implementation."""
    figure = Figure(figsize=(5 * len(curves), 4), layout="constrained")
    figure.suptitle("cost of self-attention on this machine", fontsize=11)
    for axes, (quantity, by_name) in zip(
        figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True
    ):
        for name, values in by_name.items():
            axes.plot(lengths, values, marker=".", label=name)
        axes.set(xlabel="tokens N", ylabel=quantity, xscale="log", yscale="log")
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure
