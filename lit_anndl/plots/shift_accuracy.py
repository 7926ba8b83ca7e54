"""How well shifted images are told."""

from collections.abc import Sequence

from matplotlib.figure import Figure


def shift_accuracy(accuracy: Sequence[float], cut: Sequence[float]) -> Figure:
    """The accuracy on images that are shifted by 0, 1, … pixels, and the share of them that a border cuts ink off."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(len(accuracy)), accuracy, marker="o", label="accuracy")
    axes.plot(range(len(cut)), cut, color="black", linewidth=1, label="share with ink cut off")
    for pixels, value in enumerate(accuracy):
        axes.annotate(f"{value:.3f}", (pixels, value), (4, 4), textcoords="offset points", fontsize=8)
    axes.set(xlabel="shift [pixels]", ylabel="share of the images", ylim=(0, 1.05), xlim=(-0.2, len(accuracy) - 0.5))
    axes.set_title("test images shifted left, right, up and down, mean of the four")
    axes.grid(alpha=0.3)
    axes.legend(loc="center left")
    return figure
