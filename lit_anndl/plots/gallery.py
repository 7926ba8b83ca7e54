"""Pictures of several runs side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from numpy.typing import NDArray

Picture = NDArray[Any]
"""Pixels (height, width, RGB)."""
_COLUMNS = 4


def gallery(pictures: Mapping[str, Sequence[Picture | None]], title: str) -> Figure:
    """Figures of several runs: a line of pictures per row, under its name; what is None stays empty.

    Where each row has one picture alone, they stand side by side, in lines of four.
    """
    if all(len(line) == 1 for line in pictures.values()):
        return _side_by_side({row: line[0] for row, line in pictures.items()}, title)
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


def _side_by_side(pictures: Mapping[str, Picture | None], title: str) -> Figure:
    """A picture for each row, above it the row's name."""
    columns = min(_COLUMNS, len(pictures))
    lines = -(-len(pictures) // columns)
    shapes = [picture.shape for picture in pictures.values() if picture is not None]
    width = max((shape[1] / shape[0] for shape in shapes), default=1.0)
    figure = Figure(figsize=(2.9 * width * columns, 3.2 * lines + 0.4), layout="constrained")
    figure.suptitle(title, fontsize=12)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for (row, picture), axes in zip(pictures.items(), grid.flat, strict=False):
        axes.set_title(row, fontsize=11)
        if picture is not None:
            axes.imshow(picture)
    return figure
