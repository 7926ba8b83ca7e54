"""Attention weights, and what attention costs."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lit_anndl.plots.scales import label_plainly


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
        label_plainly(axes.yaxis)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure


def attention_over_images(
    images: NDArray[np.float32], maps: NDArray[np.float32], captions: Sequence[str], title: str
) -> Figure:
    """Grey images (n, height, width), each under its caption, and below each a map of its size, coloured, over it.

    All maps share one scale, from their smallest value to their largest.
    """
    figure = Figure(figsize=(1.1 * len(images) + 0.8, 2.9), layout="constrained")
    figure.suptitle(title, fontsize=10)
    grid = figure.subplots(2, len(images), squeeze=False)
    for column, image, attention, caption in zip(grid.T, images, maps, captions, strict=True):
        column[0].imshow(image, cmap="gray_r", vmin=0, vmax=1)
        column[0].set_title(caption, fontsize=9)
        shown = column[1].imshow(attention, cmap="viridis", vmin=float(maps.min()), vmax=float(maps.max()))
        column[1].contour(image, levels=[0.5], colors="white", linewidths=0.8)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
    figure.colorbar(shown, cax=grid[1, -1].inset_axes((1.08, 0, 0.08, 1)), label="share")  # as high as the maps
    return figure


def position_similarity(similarity: NDArray[np.float32]) -> Figure:
    """Similarities (rows, columns, rows, columns) of each position to all, a panel for each where it lies."""
    rows, columns = similarity.shape[:2]
    figure = Figure(figsize=(0.4 * columns + 2.6, 0.4 * rows + 2.2), layout="constrained")
    figure.suptitle(
        "cosines of learned positions, which start at random:\na panel for each patch, all patches in it", fontsize=9
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for place, axes in np.ndenumerate(grid):
        shown = axes.imshow(similarity[place], cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set(xticks=[], yticks=[])
    figure.colorbar(shown, ax=list(grid.flat), label="cosine")
    return figure
