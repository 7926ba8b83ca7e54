"""Functions of two variables."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.tri import LinearTriInterpolator, TriAnalyzer, Triangulation
from numpy.typing import NDArray

_CELLS, _PIXELS = 60, 200
"""Grid points along each axis where values are interpolated, of a surface and of an image."""
_FLATTEST = 0.05
"""Border triangles whose inscribed circle is smaller, as a share of the one around them, are left out."""


def surfaces(panels: Mapping[str, NDArray[np.float32]], extent: float) -> Figure:
    """Surfaces z = f(x, y) over [-extent, extent]² side by side, on one scale: arrays (x, y)."""
    figure = Figure(figsize=(4 * len(panels), 4))  # the constrained layout cuts titles of 3D axes
    figure.subplots_adjust(left=0.01, right=0.96, bottom=0.05, top=0.92, wspace=0.08)
    low, high = min(z.min() for z in panels.values()), max(z.max() for z in panels.values())
    for number, (title, z) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number, projection="3d")
        x, y = np.meshgrid(*(np.linspace(-extent, extent, n) for n in z.shape), indexing="ij")
        axes.plot_surface(x, y, z, cmap="viridis", vmin=low, vmax=high, rstride=1, cstride=1, linewidth=0)
        axes.set(title=title, xlabel="x", ylabel="y", zlabel="z", zlim=(low, high))
    return figure


def heatmap(values: NDArray[np.float32], extent: float, title: str, label: str) -> Figure:
    """An array (x, y) over [-extent, extent]² as colours, whose bar says what they are."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    right, top = (extent * number / max(number - 1, 1) for number in values.shape)  # a point is the middle of its pixel
    image = axes.imshow(values.T, origin="lower", extent=(-right, right, -top, top), cmap="magma")
    figure.colorbar(image, ax=axes, label=label)
    axes.set(title=title, xlabel="x", ylabel="y")
    return figure


def scattered_surfaces(panels: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Figure:
    """Surfaces z at scattered points, side by side, on one scale: (n, 2) points and (n,) values by title."""
    figure = Figure(figsize=(4 * len(panels), 4))
    figure.subplots_adjust(left=0.01, right=0.96, bottom=0.05, top=0.92, wspace=0.08)
    low, high = min(z.min() for _, z in panels.values()), max(z.max() for _, z in panels.values())
    for number, (title, (points, z)) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number, projection="3d")
        axes.plot_surface(
            *on_grid(points, z, _CELLS), cmap="viridis", vmin=low, vmax=high, rstride=1, cstride=1, linewidth=0
        )
        axes.set(title=f"{title} ({len(z)} points)", xlabel="x₁", ylabel="x₂", zlabel="target", zlim=(low, high))
    return figure


def scattered(
    points: NDArray[np.float64], z: NDArray[np.float64], title: str, label: str, *, diverging: bool = False
) -> Figure:
    """Values (n,) at scattered points (n, 2) as colours; diverging: positive red, negative blue."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    limit = float(np.abs(z).max())
    shown = axes.pcolormesh(*on_grid(points, z, _PIXELS), cmap="RdBu_r" if diverging else "magma")
    if diverging:
        shown.set_clim(-limit, limit)
    figure.colorbar(shown, ax=axes, label=label)
    axes.set(title=title, xlabel="x₁", ylabel="x₂", aspect="equal")
    return figure


def on_grid(points: NDArray[np.float64], z: NDArray[np.float64], size: int) -> tuple[NDArray[np.float64], ...]:
    """Values (n,) at scattered points (n, 2), linearly between them, on a regular grid: x, y and z of (size, size).

    Outside the hull of the points, and in the flat triangles along its border, which would look like cliffs, z is NaN.
    """
    triangles = Triangulation(points[:, 0], points[:, 1])
    triangles.set_mask(TriAnalyzer(triangles).get_flat_tri_mask(_FLATTEST))
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = np.meshgrid(*np.linspace(low, high, size).T, indexing="ij")
    return x, y, np.ma.filled(LinearTriInterpolator(triangles, z)(x, y), np.nan)
