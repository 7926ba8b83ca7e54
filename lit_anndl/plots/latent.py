"""Codes and latent variables."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray


def code_map(codes: NDArray[Any], labels: NDArray[Any]) -> Figure:
    """Codes (n, 2) in the plane, coloured by their class (n,), each class named at its median."""
    figure = Figure(figsize=(6.5, 6), layout="constrained")
    axes = figure.subplots()
    for label in np.unique(labels):
        own = codes[labels == label]
        color = f"C{int(label) % 10}"
        axes.scatter(own[:, 0], own[:, 1], s=5, alpha=0.5, color=color, linewidths=0)
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": color, "alpha": 0.8}
        x, y = np.median(own, axis=0)
        axes.text(x, y, str(label), ha="center", va="center", color=color, weight="bold", bbox=box)
    axes.set(xlabel="first unit of the code", ylabel="second unit of the code")
    axes.grid(alpha=0.3)
    return figure
