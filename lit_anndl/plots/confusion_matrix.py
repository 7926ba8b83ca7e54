"""Confusion matrices."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray


def confusion(matrix: NDArray[np.int64]) -> Figure:
    """A confusion matrix, true classes in rows, with its counts; the colours show the mistakes alone."""
    figure = Figure(figsize=(6, 5.8), layout="constrained")
    axes = figure.subplots()
    draw_confusion(axes, matrix, most_mistakes(matrix))
    axes.set(xlabel="predicted class", ylabel="true class", xticks=range(len(matrix)), yticks=range(len(matrix)))
    axes.set_title(f"{matrix.sum()} test images, {matrix.sum() - np.trace(matrix)} mistaken (red)")
    return figure


def draw_confusion(axes: Axes, matrix: NDArray[np.int64], most: int) -> None:
    """The cells of a confusion matrix, darkest where as many are mistaken; right of the classes all are mistakes."""
    mistakes = _mistakes(matrix)
    axes.imshow(mistakes, cmap="Reds", vmin=0, vmax=max(most, 1))
    for (row, column), count in np.ndenumerate(matrix):
        if not count:
            continue
        dark = mistakes[row, column] > 0.6 * most
        axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color="white" if dark else "black")


def most_mistakes(*matrices: NDArray[np.int64]) -> int:
    """The largest number off the diagonals: the end of a scale that several confusion matrices share."""
    return max(int(_mistakes(matrix).max()) for matrix in matrices)


def _mistakes(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """A confusion matrix without its diagonal."""
    return matrix * (1 - np.eye(*matrix.shape, dtype=matrix.dtype))
