"""Images, filters and confusion matrices."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torchvision.utils import make_grid


def confusion(matrix: NDArray[np.int64]) -> Figure:
    """A confusion matrix, true classes in rows, with its counts; the colours show the mistakes alone."""
    figure = Figure(figsize=(6, 5.5), layout="constrained")
    axes = figure.subplots()
    draw_confusion(axes, matrix)
    axes.set(xlabel="predicted class", ylabel="true class", xticks=range(len(matrix)), yticks=range(len(matrix)))
    return figure


def draw_confusion(axes: Axes, matrix: NDArray[np.int64]) -> None:
    """The cells of a confusion matrix; what lies right of the classes is a mistake too."""
    mistakes = matrix * (1 - np.eye(*matrix.shape, dtype=matrix.dtype))
    axes.imshow(mistakes, cmap="Reds")
    for (row, column), count in np.ndenumerate(matrix):
        if not count:
            continue
        dark = mistakes[row, column] > 0.6 * mistakes.max()
        axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color="white" if dark else "black")


def image_grid(pixels: NDArray[np.float32], captions: Sequence[str], title: str, columns: int = 5) -> Figure:
    """Grey images (n, height, width) in rows of at most so many, each under its caption."""
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
