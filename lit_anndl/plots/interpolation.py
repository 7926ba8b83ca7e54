"""Images on the way from one latent point to another."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

_GAP = 2
"""White pixels between two images."""


def interpolation(
    images: NDArray[np.float32], weights: Sequence[float], title: str, labels: Sequence[str] = ()
) -> Figure:
    """Grey images in rows, each row a way between two latent points, under the weight of its end.

    Args:
        images: (rows, weights, height, width), in [0, 1]; what is decoded from (1 - λ) start + λ end, for instance.
        weights: λ of each column, from 0, the start, to 1, the end.
        title: of the figure.
        labels: what stands at the left of each row, such as "3 → 5"; nothing unless given.

    Raises:
        ValueError: images, weights and labels differ in number.
    """
    rows, columns, height, width = images.shape
    if len(weights) != columns or len(labels) not in (0, rows):
        raise ValueError(f"{images.shape} images, {len(weights)} weights and {len(labels)} labels do not match")
    tiles = np.pad(images, ((0, 0), (0, 0), (0, _GAP), (0, _GAP)))
    tall, wide = height + _GAP, width + _GAP
    sheet = tiles.transpose(0, 2, 1, 3).reshape(rows * tall, columns * wide)
    figure = Figure(figsize=(0.8 * columns + 0.9, 0.8 * rows + 0.8), layout="constrained")
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots()
    axes.imshow(sheet[: 1 - _GAP, : 1 - _GAP], cmap="gray_r", vmin=0, vmax=1)
    axes.set_xticks(np.arange(columns) * wide + (width - 1) / 2, [f"{weight:.3g}" for weight in weights], fontsize=8)
    axes.set_yticks(np.arange(len(labels)) * tall + (height - 1) / 2, labels, fontsize=9)
    axes.set_xlabel("λ, the weight of the end", fontsize=9)
    axes.tick_params(length=0)
    axes.xaxis.tick_top()
    axes.spines[:].set_visible(False)
    return figure
