"""Pictures of several runs side by side."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from numpy.typing import NDArray

Picture = NDArray[Any]
"""Pixels (height, width, RGB)."""
_COLUMNS = 4
_SIZE = 11
"""Points of the rows' names."""
_CHARACTER = 0.6 * _SIZE / 72
"""Inches that a character of a name takes on average, or less."""


def gallery(pictures: Mapping[str, Sequence[Picture | None]], title: str) -> Figure:
    """Figures of several runs: a line of pictures per row, under its name; what is None stays empty.

    Where each row has one picture alone, they stand side by side, in lines of four.
    """
    if all(len(line) == 1 for line in pictures.values()):
        return _side_by_side({row: line[0] for row, line in pictures.items()}, title)
    shapes = [[picture.shape if picture is not None else (1, 0) for picture in line] for line in pictures.values()]
    widths = [max(shape[1] / shape[0] for shape in column) or 1.0 for column in zip(*shapes, strict=True)]
    width = 2.6 * sum(widths)
    figure = Figure(figsize=(width, 2.9 * len(pictures)), layout="constrained")
    figure.suptitle(title, fontsize=12)
    grid = figure.subplots(len(pictures), len(widths), squeeze=False, width_ratios=widths)
    for axes in grid.flat:
        axes.axis("off")
    for (row, own), line in zip(pictures.items(), grid, strict=True):
        line[0].set_title(_in_lines(row, width), loc="left", fontsize=_SIZE)
        for axes, picture in zip(line, own, strict=True):
            if picture is not None:
                axes.imshow(picture)
    return figure


def _side_by_side(pictures: Mapping[str, Picture | None], title: str) -> Figure:
    """A picture for each row, above it the row's name."""
    columns = min(_COLUMNS, len(pictures))
    lines = -(-len(pictures) // columns)
    shapes = [picture.shape for picture in pictures.values() if picture is not None]
    width = 2.9 * max((shape[1] / shape[0] for shape in shapes), default=1.0)
    figure = Figure(figsize=(width * columns, 3.2 * lines + 0.4), layout="constrained")
    figure.suptitle(title, fontsize=12)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for (row, picture), axes in zip(pictures.items(), grid.flat, strict=False):
        axes.set_title(_in_lines(row, width), fontsize=_SIZE)
        if picture is not None:
            axes.imshow(picture)
    return figure


def _in_lines(name: str, width: float) -> str:
    """A row's name, in as many lines as it needs to stay within a width in inches."""
    return textwrap.fill(name, max(1, int(width / _CHARACTER)))
