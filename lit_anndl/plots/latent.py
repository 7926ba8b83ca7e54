"""Codes and latent variables."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray


def code_map(codes: NDArray[Any], labels: NDArray[Any], axis_labels: tuple[str, str]) -> Figure:
    """Codes (n, 2) in the plane, coloured by their class (n,)."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    for label in np.unique(labels):
        own = codes[labels == label]
        axes.scatter(own[:, 0], own[:, 1], s=5, alpha=0.5, color=f"C{int(label) % 10}", linewidths=0, label=str(label))
    axes.set(xlabel=axis_labels[0], ylabel=axis_labels[1])
    axes.set_title(f"codes of {len(codes)} test images")
    axes.grid(alpha=0.3)
    legend = axes.legend(title="class", loc="center left", bbox_to_anchor=(1.01, 0.5), markerscale=3)
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    return figure
