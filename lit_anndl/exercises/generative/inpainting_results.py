"""How well hidden rows of digits are filled in."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import mean

import torch
from torch import Tensor

from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.digit_classifier import DigitClassifier
from lit_anndl.nets.inpainting import inpaint
from lit_anndl.runtime.records import Table

PLACES = ("top", "middle", "bottom")
HIDDEN_ROWS = range(21)
FINE = 6
"""So many hidden rows report A calls fine, the next one degraded, and 20 failed."""
_TOLD = (FINE, FINE + 1, 20)
SUMMARIES = tuple(f"inpainting/accuracy_{rows}_rows" for rows in _TOLD)
_DIGIT = (4, 24)
"""The rows of 28 that an MNIST digit fills."""


@dataclass(frozen=True)
class Region:
    """Rows [first, last) of a square image."""

    first: int
    last: int

    def mask(self, side: int) -> Tensor:
        """The pixels that it hides, bool (side²,)."""
        rows = torch.arange(side).repeat_interleave(side)
        return (rows >= self.first) & (rows < self.last)


def region(place: str, rows: int) -> Region:
    """So many rows of the digit itself, at its top, in its middle or at its bottom.

    >>> region("top", 6), region("bottom", 6)
    (Region(first=4, last=10), Region(first=18, last=24))
    """
    top, bottom = _DIGIT
    first = {"top": top, "middle": (top + bottom - rows) // 2, "bottom": bottom - rows}[place]
    return Region(first, first + rows)


@torch.no_grad()
def table(
    rbm: RBM, classifier: DigitClassifier, images: Tensor, labels: Tensor, steps: int, generator: torch.Generator
) -> Table:
    """Pixel error within the hidden part, and the classifier's accuracy, by place, rows and whether clamped.

    Args:
        rbm: the machine.
        classifier: which tells the filled-in images.
        images: test images (n, visible).
        labels: their classes (n,).
        steps: Gibbs steps.
        generator: of the chains.
    """
    lines = list(_lines(rbm, classifier, images, labels, steps, generator))
    headings = ("place", "clamped", "rows", "squared error", "accuracy")
    return {heading: list(column) for heading, column in zip(headings, zip(*lines, strict=True), strict=True)}


def summary(table: Table) -> dict[str, float]:
    """The classifier's accuracy after so many rows were filled in, the others clamped, the mean over the places."""
    columns = zip(table["rows"], table["clamped"], table["accuracy"], strict=True)
    clamped = [(rows, accuracy) for rows, is_clamped, accuracy in columns if is_clamped]
    return {
        name: mean(accuracy for rows, accuracy in clamped if rows == told)
        for name, told in zip(SUMMARIES, _TOLD, strict=True)
    }


def _lines(
    rbm: RBM, classifier: DigitClassifier, images: Tensor, labels: Tensor, steps: int, generator: torch.Generator
) -> Iterator[tuple[str, bool, int, float, float]]:
    side = round(images.shape[1] ** 0.5)
    for clamp in (True, False):
        for place in PLACES:
            for rows in HIDDEN_ROWS:
                hidden = region(place, rows).mask(side).to(images.device)
                filled = inpaint(rbm, images, hidden, steps, clamp=clamp, generator=generator)
                error = (filled - images)[:, hidden].square().mean() if rows else torch.zeros(())
                predicted = classifier(filled.float().reshape(-1, 1, side, side)).argmax(dim=1)
                yield place, clamp, rows, float(error), float((predicted == labels).float().mean())
