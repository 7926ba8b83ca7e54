"""Pictures of several runs side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from numpy.typing import NDArray

Picture = NDArray[Any]
"""Pixels (height, width, RGB)."""


def gallery(pictures: Mapping[str, Sequence[Picture | None]], title: str) -> Figure:
    """Figures of several runs: a line of pictures per row, under its name; what is None stays empty."""
    shapes = [[picture.shape if picture is not None else (1, 0) for picture in line] for line in pictures.values()]
    widths = [max(shape[1] / shape[0] for shape in column) or 1.0 for column in zip(*shapes, strict=True)]
    figure = Figure(figsize=(2.6 * sum(widths), 2.9 * len(pictures)), layout="constrained")
    figure.suptitle(title, fontsize=12)
    grid = figure.subplots(len(pictures), len(widths), squeeze=False, width_ratios=widths)
    for axes in grid.flat:
        axes.axis("off")
    for (row, own), line in zip(pictures.items(), grid, strict=True):
        line[0].set_title(row, loc="left", fontsize=11)
        for axes, picture in zip(line, own, strict=True):
            if picture is not None:
                axes.imshow(picture)
    return figure
