"""Associative memories: ways through the state space, energies, basins, recall rates."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lit_anndl.plots.confusion_matrix import draw_confusion, most_mistakes

Points = Mapping[str, NDArray[np.float64]]
"""Fixed points (n, N) by what they are: stored, spurious, unstable."""

_MARKERS: dict[str, dict[str, Any]] = {
    "stored": {"marker": "*", "s": 160, "color": "tab:green"},
    "spurious": {"marker": "X", "s": 90, "color": "tab:red"},
    "unstable": {"marker": "o", "s": 45, "color": "white"},
    "marginal": {"marker": "s", "s": 40, "color": "tab:gray"},
}


def paths(trajectories: NDArray[np.float64], points: Points, title: str) -> Figure:
    """Trajectories (steps, B, N) of states through a space of N = 2 or 3 dimensions, and the fixed points there."""
    figure = Figure(figsize=(5.5, 5), layout="constrained")
    spatial = trajectories.shape[2] == 3
    axes = figure.add_subplot(projection="3d" if spatial else None)
    _draw_paths(axes, trajectories, points)
    if spatial:
        axes.set(zlabel="s₃", zticks=[-1, 0, 1])
        axes.view_init(elev=22, azim=-50)  # type: ignore[attr-defined]  # it is an Axes3D
        axes.set_box_aspect(None, zoom=0.85)  # type: ignore[call-arg]  # or the labels are cut off
    axes.set(title=title)
    figure.legend(loc="outside lower center", ncols=len(points) + 1, fontsize=8)
    return figure


def _draw_paths(axes: Axes, trajectories: NDArray[np.float64], points: Points) -> None:
    """The trajectories with a dot at each step, the fixed points above them."""
    for way in trajectories.swapaxes(0, 1):
        axes.plot(*way.T, marker=".", markersize=3, linewidth=0.8, alpha=0.7, color="tab:blue")
    axes.plot(*trajectories[0].T, "x", markersize=4, color="tab:blue", label="start")
    for role, states in points.items():
        if len(states):
            axes.scatter(*states.T, label=role, edgecolors="black", zorder=3, **_MARKERS[role])
    axes.set(xlabel="s₁", ylabel="s₂", xticks=[-1, -0.5, 0, 0.5, 1], yticks=[-1, -0.5, 0, 0.5, 1])


def basins(ends: NDArray[np.int64], names: Sequence[str], trajectories: NDArray[np.float64], points: Points) -> Figure:
    """The plane coloured by where its states end: indices (x, y) into names, -1 for elsewhere."""
    figure = Figure(figsize=(6.5, 5), layout="constrained")
    axes = figure.subplots()
    pastel = matplotlib.colormaps["Set3"].colors[: len(names)]  # type: ignore[attr-defined]  # it is a ListedColormap
    colours = ListedColormap([(1.0, 1.0, 1.0), *pastel])
    right, top = (number / max(number - 1, 1) for number in ends.shape)  # a state is the middle of its pixel
    extent = (-right, right, -top, top)
    shown = axes.imshow(ends.T, origin="lower", extent=extent, cmap=colours, vmin=-1.5, vmax=len(names) - 0.5)
    bar = figure.colorbar(shown, ax=axes, ticks=range(-1, len(names)))
    bar.ax.set_yticklabels(["elsewhere", *names])
    _draw_paths(axes, trajectories, points)
    axes.set(title="basins of attraction", xlim=(-1.08, 1.08), ylim=(-1.08, 1.08))
    figure.legend(loc="outside lower center", ncols=len(points) + 1, fontsize=8)
    return figure


def energies(energy: NDArray[np.float64], title: str, labels: Sequence[str] = ()) -> Figure:
    """Energies (steps, B) of states against the iteration; if most is the first fall, once more without it."""
    later = energy[1:]
    beginnings = (0, 1) if later.size and np.ptp(energy) > 3 * np.ptp(later) else (0,)
    figure = Figure(figsize=(1.5 + 4.5 * len(beginnings), 4), layout="constrained")
    iterations = np.arange(len(energy))
    for axes, first in zip(figure.subplots(1, len(beginnings), squeeze=False).flat, beginnings, strict=True):
        lines = axes.plot(iterations[first:], energy[first:], marker=".", markersize=4, linewidth=0.9, alpha=0.7)
        axes.set(xlabel="iteration", ylabel="energy E(s)", title="after the first update" if first else "")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    if labels:
        figure.legend(lines, labels, loc="outside right center", fontsize=8)
    figure.suptitle(title)
    return figure


def rates(
    panels: Mapping[str, tuple[Sequence[float], Mapping[str, NDArray[np.float64]]]], ylabel: str, *, log: bool = False
) -> Figure:
    """Curves with bands against a level, a panel each: levels, and (levels, 3) of middle, low and high by name."""
    figure = Figure(figsize=(5 * len(panels), 4), layout="constrained")
    for axes, (xlabel, (levels, by_name)) in zip(
        figure.subplots(1, len(panels), squeeze=False).flat, panels.items(), strict=True
    ):
        for (name, values), style in zip(by_name.items(), cycle(("-", "--", ":"))):
            (line,) = axes.plot(levels, values[:, 0], marker=".", linestyle=style, label=name)
            axes.fill_between(levels, values[:, 1], values[:, 2], alpha=0.2, color=line.get_color())
        axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log else "linear")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure


def capacity(
    loads: Sequence[float], by_name: Mapping[str, NDArray[np.float64]], rules: Mapping[str, float], title: str
) -> Figure:
    """Exact recall with its interval against K/N, and the rules for the capacity as vertical lines."""
    figure = rates({"patterns per unit, K/N": (loads, by_name)}, "patterns recalled exactly", log=True)
    figure.set_size_inches(8, 4.5)
    (axes,) = figure.axes
    axes.set_title(title)
    for number, (name, load) in enumerate(rules.items()):
        axes.axvline(load, color=f"C{number + 6}", linestyle="--", linewidth=1, label=f"{name} = {load:.3g} N")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def confusions(matrices: Mapping[str, NDArray[np.int64]], columns: Sequence[str]) -> Figure:
    """What was recalled (columns) from each pattern (rows), a panel per title."""
    figure = Figure(figsize=(4.4 * len(matrices), 4.4), layout="constrained")
    most = most_mistakes(*matrices.values())  # one scale, so that panels may be compared
    for axes, (title, matrix) in zip(
        figure.subplots(1, len(matrices), squeeze=False).flat, matrices.items(), strict=True
    ):
        draw_confusion(axes, matrix, most)
        axes.set(title=title, xlabel="recalled", ylabel="shown", yticks=range(len(matrix)))
        axes.set_xticks(range(len(columns)), columns)
    figure.suptitle("off the diagonal: mistakes; –: none of the digits", fontsize=9)
    return figure
