"""Learning curves."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lit_anndl.plots.scales import label_plainly
from lit_anndl.runtime.records import History


def curves(
    history: History,
    names: Sequence[str],
    ylabel: str,
    *,
    log: bool = False,
    phases: Mapping[str, int] = MappingProxyType({}),
) -> Figure:
    """Metrics against the epoch, those of `names` that were logged.

    Args:
        history: values by metric and epoch.
        names: of the metrics.
        ylabel: what they are.
        log: whether the values' axis is logarithmic.
        phases: the first epoch of each phase of the training, by its name; drawn are those that the metrics were
            logged in, and no line goes from one to the next.
    """
    breaks = [(start - 0.5, math.nan) for start in phases.values()]
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name in names:
        if points := history.get(name):
            epochs, values = zip(*sorted([*breaks, *points]), strict=True)
            axes.plot(epochs, values, label=name, marker="." if len(points) <= 50 else None)
    axes.set(xlabel="epoch", ylabel=ylabel, yscale="log" if log else "linear", title="learning curves")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3, which="both" if log else "major")
    axes.legend()
    if log:
        label_plainly(axes.yaxis)
    logged = [epoch for name in names for epoch, _ in history.get(name, [])]
    if phases and logged:
        _mark_phases(axes, phases, min(logged), max(logged))
    return figure


def gradient_norms(norms: Mapping[str, Sequence[float]], start: int) -> Figure:
    """Norms of gradients by epoch, the first of which is `start`, a line for each layer."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for number, (name, values) in enumerate(norms.items()):
        colour = matplotlib.colormaps["viridis_r"]((number + 0.5) / len(norms))
        axes.plot(range(start, start + len(values)), values, label=name, marker=".", color=colour)
    axes.set(xlabel="epoch", ylabel="norm of the gradient by the weights", yscale="log")
    label_plainly(axes.yaxis)
    axes.set_title("gradients in fine-tuning, by layer")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    return figure


def bars(groups: Mapping[str, Mapping[str, float]], ylabel: str) -> Figure:
    """Values from 0 to 1 side by side, a colour for each group, with the numbers above them."""
    names = list(dict.fromkeys(name for values in groups.values() for name in values))
    width = 0.8 / len(groups)
    figure = Figure(figsize=(1.5 + 1.2 * len(groups) * len(names), 4), layout="constrained")
    axes = figure.subplots()
    for number, (group, values) in enumerate(groups.items()):
        places = [names.index(name) + (number - (len(groups) - 1) / 2) * width for name in values]
        drawn = axes.bar(places, list(values.values()), 0.95 * width, label=group)
        axes.bar_label(drawn, fmt="{:.3f}", fontsize=8)
    axes.set(ylabel=ylabel, xticks=range(len(names)), xticklabels=names, ylim=(0, 1.15))
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", ncols=len(groups), fontsize=8)
    axes.grid(alpha=0.3, axis="y")
    return figure


def _mark_phases(axes: Axes, phases: Mapping[str, int], first: int, last: int) -> None:
    """A line before the first epoch of each phase between two epochs, and the phases' names above the axes."""
    starts = list(phases.values())
    for name, start, end in zip(phases, starts, [*starts[1:], last + 1], strict=True):
        shown = max(start, first), min(end - 1, last)
        if shown[0] > shown[1]:
            continue
        if start > first:
            axes.axvline(start - 0.5, color="black", linestyle="--", linewidth=0.8)
        axes.annotate(
            name,
            (sum(shown) / 2, 1),
            (0, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    axes.set_title(axes.get_title(), pad=16)
