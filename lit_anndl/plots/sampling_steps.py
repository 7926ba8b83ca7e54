"""What fewer sampling steps cost in quality and save in time."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lit_anndl.plots.scales import label_plainly
from lit_anndl.runtime.records import Table


def quality_by_steps(table: Table, distances: Sequence[str]) -> Figure:
    """Columns of a table against its first, numbers of steps: the distances in one panel, each other column alone."""
    steps, *columns = table
    others = [column for column in columns if column not in distances]
    panels = {"Fréchet distance": distances, **{column: [column] for column in others}}
    figure = Figure(figsize=(4.6 * len(panels), 3.8), layout="constrained")
    figure.suptitle("by the number of sampling steps", fontsize=11)
    for axes, (label, shown) in zip(figure.subplots(1, len(panels), squeeze=False).flat, panels.items(), strict=True):
        for column in shown:
            axes.plot(table[steps], table[column], marker="o", label=column)
        axes.set_ylabel(label)
        _scale(axes, table[steps])
        if len(shown) > 1:
            axes.legend()
    return figure


def _scale(axes: Axes, steps: Sequence[int]) -> None:
    """Logarithmic axes with plain numbers, a tick for each number of steps."""
    axes.set(xlabel="sampling steps", xscale="log", yscale="log")
    axes.set_xticks(steps, [str(each) for each in steps], minor=False)
    axes.xaxis.minorticks_off()
    label_plainly(axes.yaxis)
    axes.grid(alpha=0.3, which="both")
