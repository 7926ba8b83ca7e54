"""Arrays in, figure out."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from torchvision.utils import make_grid

Curves = Mapping[str, Sequence[tuple[int, float]]]
"""(epoch, value) pairs by name."""


def curves(history: Curves, names: Sequence[str], ylabel: str, *, log: bool = False) -> Figure:
    """Metrics against the epoch, those of `names` that were logged."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name in names:
        if points := history.get(name):
            epochs, values = zip(*points, strict=True)
            axes.plot(epochs, values, label=name, marker="." if len(points) <= 50 else None)
    axes.set(xlabel="epoch", ylabel=ylabel, yscale="log" if log else "linear")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def surfaces(panels: Mapping[str, NDArray[np.float32]], extent: float) -> Figure:
    """Surfaces z = f(x, y) over [-extent, extent]² side by side, on one scale: arrays (x, y)."""
    figure = Figure(figsize=(4 * len(panels), 4))  # the constrained layout cuts titles of 3D axes
    figure.subplots_adjust(left=0.01, right=0.96, bottom=0.05, top=0.92, wspace=0.08)
    low, high = min(z.min() for z in panels.values()), max(z.max() for z in panels.values())
    for number, (title, z) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number, projection="3d")
        x, y = np.meshgrid(*(np.linspace(-extent, extent, n) for n in z.shape), indexing="ij")
        axes.plot_surface(x, y, z, cmap="viridis", vmin=low, vmax=high, rstride=1, cstride=1, linewidth=0)
        axes.set(title=title, xlabel="x", ylabel="y", zlim=(low, high))
    return figure


def heatmap(values: NDArray[np.float32], extent: float, title: str) -> Figure:
    """An array (x, y) over [-extent, extent]² as colours."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(values.T, origin="lower", extent=(-extent, extent, -extent, extent), cmap="magma")
    figure.colorbar(image, ax=axes)
    axes.set(title=title, xlabel="x", ylabel="y")
    return figure


def confusion(matrix: NDArray[np.int64]) -> Figure:
    """A confusion matrix, true classes in rows, with its counts; the colours show the mistakes alone."""
    figure = Figure(figsize=(6, 5.5), layout="constrained")
    axes = figure.subplots()
    mistakes = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    axes.imshow(mistakes, cmap="Reds")
    for (row, column), count in np.ndenumerate(matrix):
        dark = mistakes[row, column] > 0.6 * mistakes.max()
        axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color="white" if dark else "black")
    axes.set(xlabel="predicted class", ylabel="true class", xticks=range(len(matrix)), yticks=range(len(matrix)))
    return figure


def images(pixels: NDArray[np.float32], captions: Sequence[str], title: str) -> Figure:
    """Grey images (n, height, width) in rows of at most five, each under its caption."""
    columns = 5
    rows = max(1, -(-len(pixels) // columns))
    figure = Figure(figsize=(1.6 * columns, 1.9 * rows + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=9)
    for axes in (grid := figure.subplots(rows, columns, squeeze=False)).flat:
        axes.axis("off")
    for axes, image, caption in zip(grid.flat, pixels, captions, strict=False):
        axes.imshow(image, cmap="gray_r")
        axes.set_title(caption, fontsize=8)
    return figure


def filters(weights: torch.Tensor) -> Figure:
    """Filters (n, 1, height, width) as a grid of images, positive red and negative blue, on one scale."""
    limit = float(weights.abs().max())
    grid = make_grid(weights, nrow=8, padding=1, pad_value=float("nan"))[0]
    figure = Figure(figsize=(6, 0.75 * -(-len(weights) // 8) + 0.5), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(grid.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes.axis("off")
    figure.colorbar(shown, ax=axes, label="weight")
    return figure


def scattered_surfaces(panels: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Figure:
    """Surfaces z at scattered points, side by side, on one scale: (n, 2) points and (n,) values by title."""
    figure = Figure(figsize=(4 * len(panels), 4))
    figure.subplots_adjust(left=0.01, right=0.96, bottom=0.05, top=0.92, wspace=0.08)
    low, high = min(z.min() for _, z in panels.values()), max(z.max() for _, z in panels.values())
    for number, (title, (points, z)) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number, projection="3d")
        axes.plot_trisurf(*points.T, z, cmap="viridis", vmin=low, vmax=high, linewidth=0)
        axes.set(title=f"{title} ({len(z)} points)", xlabel="x₁", ylabel="x₂", zlim=(low, high))
    return figure


def scattered(points: NDArray[np.float64], z: NDArray[np.float64], title: str, *, diverging: bool = False) -> Figure:
    """Values (n,) at scattered points (n, 2) as colours; diverging: positive red, negative blue."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    limit = float(np.abs(z).max())
    shown = axes.tripcolor(points[:, 0], points[:, 1], z, shading="gouraud", cmap="RdBu_r" if diverging else "magma")
    if diverging:
        shown.set_clim(-limit, limit)
    figure.colorbar(shown, ax=axes)
    axes.set(title=title, xlabel="x₁", ylabel="x₂", aspect="equal")
    return figure
