"""Learning curves."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lit_anndl.runtime.records import History


def curves(history: History, names: Sequence[str], ylabel: str, *, log: bool = False) -> Figure:
    """Metrics against the epoch, those of `names` that were logged."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name in names:
        if points := history.get(name):
            epochs, values = zip(*points, strict=True)
            axes.plot(epochs, values, label=name, marker="." if len(points) <= 50 else None)
    axes.set(xlabel="epoch", ylabel=ylabel, yscale="log" if log else "linear", title="learning curves")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3, which="both" if log else "major")
    axes.legend()
    return figure
