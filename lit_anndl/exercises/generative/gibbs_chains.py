"""What Gibbs chains of a machine arrive at, and how fast they forget where they began."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lit_anndl.data.digits.idx import CLASSES
from lit_anndl.nets.autocorrelation import autocorrelation_time
from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.digit_classifier import DigitClassifier
from lit_anndl.quality.sample_quality import entropy_bits
from lit_anndl.runtime.records import Table

SUMMARIES = (
    "samples/class_entropy",
    "samples/rarest_class",
    "samples/two_commonest_classes",
    "samples/autocorrelation_time",
)


@dataclass(frozen=True)
class Chains:
    """Chains that have been looked at after some numbers of Gibbs steps.

    Args:
        looks: by the number of steps, p(v = 1 | h) of the chains then (chains, visible).
        free_energies: after each step (steps, chains).
    """

    looks: Mapping[int, Tensor]
    free_energies: Tensor


@torch.no_grad()
def run(rbm: RBM, start: Tensor, steps: Sequence[int], pixels: int, generator: torch.Generator) -> Chains:
    """Chains from some states (chains, visible), looked at after each of some numbers of steps.

    `pixels` is how many of the visible units, the first, are shown: all but those that are a deep machine's own.
    """
    looks: dict[int, Tensor] = {}
    energies, v = [], start
    for step in range(1, max(steps) + 1):
        v, probability = rbm.gibbs_step(v, generator)
        energies.append(rbm.free_energy(v))
        if step in steps:
            looks[step] = probability[:, :pixels].cpu()
    return Chains(looks, torch.stack(energies).cpu())


def _class_shares(classifier: DigitClassifier, images: Tensor) -> Tensor:
    """Which share of images (n, visible) is taken for each class: (10,)."""
    side = round(images.shape[1] ** 0.5)
    predicted = classifier(images.float().reshape(-1, 1, side, side)).argmax(dim=1)
    return torch.bincount(predicted, minlength=CLASSES) / len(images)


def summary(classifier: DigitClassifier, from_images: Chains, from_noise: Chains) -> dict[str, float]:
    """What chains from noise end in, and the autocorrelation time of the free energy in those from images, in steps.

    The first half of the latter counts as the way to the machine's distribution.
    """
    _, last = max(from_noise.looks.items())
    shares = _class_shares(classifier, last)
    energies = from_images.free_energies
    values = (
        entropy_bits(shares),
        float(shares.min()),
        float(shares.topk(2).values.sum()),
        autocorrelation_time(energies[len(energies) // 2 :]),
    )
    return dict(zip(SUMMARIES, values, strict=True))


def classes_table(classifier: DigitClassifier, chains: Mapping[str, Chains]) -> Table:
    """The shares of the classes, a line per start and number of steps."""
    lines = []
    for start, each in chains.items():
        for steps, images in sorted(each.looks.items()):
            shares = _class_shares(classifier, images)
            lines.append([start, steps, *shares.tolist(), entropy_bits(shares)])
    headings = ["start", "steps", *map(str, range(CLASSES)), "entropy [bits]"]
    return {heading: list(column) for heading, column in zip(headings, zip(*lines, strict=True), strict=True)}
