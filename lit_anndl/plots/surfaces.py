"""Functions of two variables."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray


def surfaces(panels: Mapping[str, NDArray[np.float32]], extent: float) -> Figure:
    """Surfaces z = f(x, y) over [-extent, extent]² side by side, on one scale: arrays (x, y)."""
    figure = Figure(figsize=(4 * len(panels), 4))  # the constrained layout cuts titles of 3D axes
    figure.subplots_adjust(left=0.01, right=0.96, bottom=0.05, top=0.92, wspace=0.08)
    low, high = min(z.min() for z in panels.values()), max(z.max() for z in panels.values())
    for number, (title, z) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number, projection="3d")
        x, y = np.meshgrid(*(np.linspace(-extent, extent, n) for n in z.shape), indexing="ij")
        axes.plot_surface(x, y, z, cmap="viridis", vmin=low, vmax=high, rstride=1, cstride=1, linewidth=0)
        axes.set(title=title, xlabel="x", ylabel="y", zlim=(low, high))
    return figure


def heatmap(values: NDArray[np.float32], extent: float, title: str) -> Figure:
    """An array (x, y) over [-extent, extent]² as colours."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(values.T, origin="lower", extent=(-extent, extent, -extent, extent), cmap="magma")
    figure.colorbar(image, ax=axes)
    axes.set(title=title, xlabel="x", ylabel="y")
    return figure


def scattered_surfaces(panels: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Figure:
    """Surfaces z at scattered points, side by side, on one scale: (n, 2) points and (n,) values by title."""
    figure = Figure(figsize=(4 * len(panels), 4))
    figure.subplots_adjust(left=0.01, right=0.96, bottom=0.05, top=0.92, wspace=0.08)
    low, high = min(z.min() for _, z in panels.values()), max(z.max() for _, z in panels.values())
    for number, (title, (points, z)) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number, projection="3d")
        axes.plot_trisurf(*points.T, z, cmap="viridis", vmin=low, vmax=high, linewidth=0)
        axes.set(title=f"{title} ({len(z)} points)", xlabel="x₁", ylabel="x₂", zlim=(low, high))
    return figure


def scattered(points: NDArray[np.float64], z: NDArray[np.float64], title: str, *, diverging: bool = False) -> Figure:
    """Values (n,) at scattered points (n, 2) as colours; diverging: positive red, negative blue."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    limit = float(np.abs(z).max())
    shown = axes.tripcolor(points[:, 0], points[:, 1], z, shading="gouraud", cmap="RdBu_r" if diverging else "magma")
    if diverging:
        shown.set_clim(-limit, limit)
    figure.colorbar(shown, ax=axes)
    axes.set(title=title, xlabel="x₁", ylabel="x₂", aspect="equal")
    return figure
