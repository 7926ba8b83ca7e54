"""The arithmetic of a convolution as a picture."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray


def matrices(panels: Mapping[str, NDArray[np.float64]], title: str) -> Figure:
    """Matrices (rows, columns) side by side with their numbers, each cell as large as any other's."""
    widths = [values.shape[1] for values in panels.values()]
    rows = max(values.shape[0] for values in panels.values())
    figure = Figure(figsize=(0.5 * sum(widths) + 1.2 * len(panels), 0.5 * rows + 1.2), layout="constrained")
    figure.suptitle(title, fontsize=10)
    for axes, (name, values) in zip(
        np.ravel(figure.subplots(1, len(panels), width_ratios=widths)), panels.items(), strict=True
    ):
        limit = float(np.abs(values).max()) or 1.0
        axes.imshow(values, cmap="RdBu_r", vmin=-2 * limit, vmax=2 * limit)
        for (row, column), value in np.ndenumerate(values):
            axes.text(column, row, f"{value:g}", ha="center", va="center", fontsize=9)
        axes.set(title=name, xticks=[], yticks=[])
    return figure
