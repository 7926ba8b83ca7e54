"""Codes and latent variables."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.manifold import TSNE

_FEWEST = 4
_ROUNDING = 1e-6
_INK = 25_000
_SMALLEST_POINT, _LARGEST_POINT = 5, 40
"""Areas in square points; in between as large as leaves all points together this much."""


def planes(codes: Mapping[str, NDArray[Any]], labels: NDArray[Any], most: int) -> Iterator[Figure]:
    """Codes (n, units) of the same images by their panels' titles, coloured by class (n,); nothing to see, no figure.

    Those of two units are shown as they are, those of more by t-SNE of at most so many images; where it has no map of
    some, they are left out.
    """
    units = next(iter(codes.values())).shape[1]
    if units == 2:
        yield code_maps(codes, labels, ("first unit of the code", "second unit of the code"))
    elif units > 2 and most:
        maps = {title: tsne(each[:most]) for title, each in codes.items()}
        if drawn := {title: plane for title, plane in maps.items() if plane is not None}:
            yield code_maps(drawn, labels[:most], ("t-SNE 1", "t-SNE 2"))


def code_map(codes: NDArray[Any], labels: NDArray[Any], axis_labels: tuple[str, str]) -> Figure:
    """Codes (n, 2) in the plane, coloured by their class (n,)."""
    return code_maps({f"codes of {len(codes)} test images": codes}, labels, axis_labels)


def code_maps(panels: Mapping[str, NDArray[Any]], labels: NDArray[Any], axis_labels: tuple[str, str]) -> Figure:
    """Codes (n, 2) of the same images in the plane side by side, by the panels' titles, coloured by class (n,)."""
    figure = Figure(figsize=(1 + 6 * len(panels), 6), layout="constrained")
    grid = np.ravel(figure.subplots(1, len(panels)))
    for axes, (title, codes) in zip(grid, panels.items(), strict=True):
        _scatter(axes, codes, labels)
        axes.set(xlabel=axis_labels[0], ylabel=axis_labels[1], title=title)
        axes.grid(alpha=0.3)
    legend = grid[-1].legend(title="class", loc="center left", bbox_to_anchor=(1.01, 0.5))
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_alpha(1)
            handle.set_sizes([_LARGEST_POINT])
    return figure


def _scatter(axes: Axes, codes: NDArray[Any], labels: NDArray[Any]) -> None:
    """A point per code, in the colour of its class."""
    area = min(max(_INK / len(codes), _SMALLEST_POINT), _LARGEST_POINT)
    for label in np.unique(labels):
        x, y = codes[labels == label].T
        axes.scatter(x, y, s=area, alpha=0.5, color=f"C{int(label) % 10}", linewidths=0, label=str(label))


def tsne(codes: NDArray[Any]) -> NDArray[Any] | None:
    """Codes (n, units) in the plane (n, 2), neighbours beside each other; the same for the same codes.

    Laid out by t-SNE (van der Maaten & Hinton, JMLR 9, 2008). None where codes have no neighbours: there are fewer than
    four of them, or but for rounding all are the same, as those of units that have died.
    """
    if len(codes) < _FEWEST:
        return None
    centred = codes.astype(np.float64) - codes[0]
    spread = np.abs(centred).max()
    if not spread > _ROUNDING * np.abs(codes).max():  # with a spread of 0 scikit-learn's first map crashes the process
        return None
    perplexity = min(30.0, (len(codes) - 1) / 3)
    plane: NDArray[Any] = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(centred / spread)
    return plane
