"""How well shifted images are told."""

from collections.abc import Sequence

from matplotlib.figure import Figure


def shift_accuracy(accuracy: Sequence[float]) -> Figure:
    """The accuracy on images that are shifted by 0, 1, … pixels."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(len(accuracy)), accuracy, marker="o")
    for pixels, value in enumerate(accuracy):
        axes.annotate(f"{value:.3f}", (pixels, value), (4, 4), textcoords="offset points", fontsize=8)
    axes.set(xlabel="shift [pixels]", ylabel="accuracy", ylim=(0, 1.05), xlim=(-0.2, len(accuracy) - 0.5))
    axes.set_title("test images shifted left, right, up and down, mean of the four")
    axes.grid(alpha=0.3)
    return figure
