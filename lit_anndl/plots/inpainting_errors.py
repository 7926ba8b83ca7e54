"""How errors grow with what is hidden."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lit_anndl.runtime.records import Table


def inpainting_errors(table: Table, fine: int) -> Figure:
    """Squared error of the hidden pixels, and accuracy of a classifier, against hidden rows, by place and clamping.

    Beside them a line after the number of rows that report A calls fine.
    """
    figure = Figure(figsize=(11, 4), layout="constrained")
    panels = figure.subplots(1, 2)
    columns = {name: np.array(values) for name, values in table.items()}
    for number, place in enumerate(dict.fromkeys(table["place"])):
        for clamped, line in ((True, "-"), (False, "--")):
            own = (columns["place"] == place) & (columns["clamped"] == clamped)
            label = f"{place}, {'clamped' if clamped else 'not clamped'}"
            for axes, name in zip(panels, ("squared error", "accuracy"), strict=True):
                shown = own & ((columns["rows"] > 0) | (name == "accuracy"))
                axes.plot(
                    columns["rows"][shown], columns[name][shown], line, color=f"C{number}", marker=".", label=label
                )
    panels[0].set(ylabel="squared error per hidden pixel", ylim=(0, None))
    panels[1].set(ylabel="accuracy of the digit classifier", ylim=(0, 1.02))
    for axes in panels:
        axes.axvline(fine + 0.5, color="0.5", linestyle=":", label=f"report A: fine up to {fine}")
        axes.set(xlabel="hidden rows of the digit")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    panels[1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
    return figure
