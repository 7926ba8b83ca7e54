"""What fewer sampling steps cost in quality and save in time."""

from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from lit_anndl.runtime.records import Table


def quality_by_steps(table: Table) -> Figure:
    """Every other column of a table against its first, numbers of steps, a panel each."""
    steps, *columns = table
    figure = Figure(figsize=(4.6 * len(columns), 3.8), layout="constrained")
    figure.suptitle("by the number of sampling steps", fontsize=11)
    for axes, column in zip(figure.subplots(1, len(columns), squeeze=False).flat, columns, strict=True):
        axes.plot(table[steps], table[column], marker="o")
        axes.set(xlabel="sampling steps", ylabel=column)
        axes.set_xscale("log")
        axes.set_xticks(table[steps], [str(each) for each in table[steps]], minor=False)
        axes.minorticks_off()
        axes.set_yscale("log")
        plain = LogFormatter(labelOnlyBase=False, minor_thresholds=(3, 1))
        axes.yaxis.set_major_formatter(plain)
        axes.yaxis.set_minor_formatter(plain)
        axes.grid(alpha=0.3, which="both")
    return figure
