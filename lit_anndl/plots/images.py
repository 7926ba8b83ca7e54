"""Images and filters."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torchvision.utils import make_grid

_FILTERS_PER_ROW = 8
_WORST = 25
"""How many misclassified images are shown."""


def image_rows(rows: Mapping[str, NDArray[np.float32]], title: str) -> Figure:
    """Grey images, a row (n, height, width) of them for each name, which stands at its left."""
    columns = max(map(len, rows.values()))
    figure = Figure(figsize=(0.9 * columns + 1.2, 0.95 * len(rows) + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=10)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for (name, images), line in zip(rows.items(), grid, strict=True):
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
        for axes, image in zip(line, images, strict=False):
            axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    return figure


def image_grid(pixels: NDArray[np.float32], captions: Sequence[str], title: str, columns: int = 5) -> Figure:
    """Grey images (n, height, width) in rows of at most so many, each under its caption."""
    rows = max(1, -(-len(pixels) // columns))
    figure = Figure(figsize=(1.6 * columns, 1.9 * rows + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=10)
    for axes in (grid := figure.subplots(rows, columns, squeeze=False)).flat:
        axes.axis("off")
    for axes, image, caption in zip(grid.flat, pixels, captions, strict=False):
        axes.imshow(image, cmap="gray_r")
        axes.set_title(caption, fontsize=8)
    return figure


def sample_grid(images: torch.Tensor, title: str, columns: int = 10) -> Figure:
    """Many grey images (n, 1, height, width) without captions, so many in a row."""
    grid = make_grid(images.float(), nrow=columns, padding=1, pad_value=0.0)[0]
    height, width = grid.shape
    figure = Figure(figsize=(6, 6 * height / width + 0.4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(grid.numpy(), cmap="gray_r", vmin=0, vmax=1)
    axes.axis("off")
    axes.set_title(title, fontsize=10)
    return figure


def worst_mistakes(images: NDArray[np.float32], labels: NDArray[np.int64], scores: NDArray[np.float32]) -> Figure:
    """The misclassified images (n, height, width) whose wrong class scored highest, of scores (n, classes)."""
    top, predicted = scores.max(axis=1), scores.argmax(axis=1)
    (wrong,) = (predicted != labels).nonzero()
    worst = wrong[np.argsort(-top[wrong], kind="stable")][:_WORST]
    captions = [f"{labels[i]} as {predicted[i]}\n{scores[i, labels[i]]:.3f} | {top[i]:.3f}" for i in worst]
    title = f"{len(wrong)} of {len(labels)} wrong; the surest: true as predicted, score of true | of predicted"
    return image_grid(images[worst], captions, title)


def filters(weights: torch.Tensor, title: str) -> Figure:
    """Filters (n, 1, height, width) as a grid of images, positive red and negative blue, on one scale."""
    return filter_panels({"": weights}, title)


def first_filters(weights: torch.Tensor) -> Figure:
    """The filters (n, 1, height, width) of a net's first convolution, wherever they are."""
    return filters(weights.detach().cpu(), f"first layer: {len(weights)} filters")


def filter_panels(panels: Mapping[str, torch.Tensor], title: str) -> Figure:
    """Grids of filters (n, 1, height, width) side by side, each under its name, on one scale."""
    rows = -(-max(map(len, panels.values())) // _FILTERS_PER_ROW)
    figure = Figure(figsize=(6.6 * len(panels), 0.7 * rows + 0.8), layout="constrained")
    limit = max(float(weights.abs().max()) for weights in panels.values())
    for axes, (name, weights) in zip(np.ravel(figure.subplots(1, len(panels))), panels.items(), strict=True):
        grid = make_grid(weights.float(), nrow=_FILTERS_PER_ROW, padding=1, pad_value=float("nan"))[0]
        shown = axes.imshow(grid.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.axis("off")
        axes.set_title(name or title, fontsize=10)
        bar = axes.inset_axes((1.03, 0, 0.03, 1))  # as high as the grid
        figure.colorbar(shown, cax=bar, label="weight")
    if all(panels):
        figure.suptitle(title, fontsize=10)
    return figure
