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

_TOLD = (10, 100)
"""After so many steps the classes are told beside those of the end, where chains are looked at then."""
SUMMARIES = (
    "samples/class_entropy",
    *(f"samples/class_entropy_{steps}_steps" for steps in _TOLD),
    "samples/rarest_class",
    "samples/two_commonest_classes",
    "samples/ones_and_nines",
    "samples/autocorrelation_time",
    "samples/autocorrelation_time_at_least",
)
_TELLING = 5
"""By so many times as many steps an autocorrelation time can be told, see `nets.autocorrelation`."""


@dataclass(frozen=True)
class Chains:
    """Chains that have been looked at after some numbers of Gibbs steps.

    Args:
        looks: by the number of steps, p(v = 1 | h) of the chains then (chains, visible).
        last: their states at the end (chains, all visible units).
    """

    looks: Mapping[int, Tensor]
    last: Tensor


@torch.no_grad()
def run(rbm: RBM, start: Tensor, steps: Sequence[int], pixels: int, generator: torch.Generator) -> Chains:
    """Chains from some states (chains, visible), looked at after each of some numbers of steps.

    `pixels` is how many of the visible units, the first, are shown: all but those that are a deep machine's own.
    """
    looks: dict[int, Tensor] = {}
    v = start
    for step in range(1, max(steps) + 1):
        v, probability = rbm.gibbs_step(v, generator)
        if step in steps:
            looks[step] = probability[:, :pixels].cpu()
    return Chains(looks, v)


@torch.no_grad()
def free_energies(rbm: RBM, v: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Of the states of chains that go on from v, after each of so many steps: (steps, chains)."""
    energies = []
    for _ in range(steps):
        v, _ = rbm.gibbs_step(v, generator)
        energies.append(rbm.free_energy(v))
    return torch.stack(energies).cpu()


def _class_shares(classifier: DigitClassifier, images: Tensor) -> Tensor:
    """Which share of images (n, visible) is taken for each class: (10,)."""
    side = round(images.shape[1] ** 0.5)
    predicted = classifier(images.float().reshape(-1, 1, side, side)).argmax(dim=1)
    return torch.bincount(predicted, minlength=CLASSES) / len(images)


def summary(classifier: DigitClassifier, from_images: Chains, from_noise: Chains, energies: Tensor) -> dict[str, float]:
    """What chains end in, and how long they remember.

    Of the chains from noise: `samples/class_entropy`, in bits, of the classes that their last looks are taken for (of
    earlier ones `samples/class_entropy_10_steps` and `samples/class_entropy_100_steps`), `samples/rarest_class` and
    `samples/two_commonest_classes`, shares. Of those from test images, the share `samples/ones_and_nines`. Of free
    energies (steps, chains), `samples/autocorrelation_time`, in steps; where they are too few to tell it,
    `samples/autocorrelation_time_at_least`, a fifth of their number.
    """
    shares = _class_shares(classifier, _end(from_noise))
    of_images = _class_shares(classifier, _end(from_images))
    told, longest = autocorrelation_time(energies), len(energies) / _TELLING
    return {
        "samples/class_entropy": entropy_bits(shares),
        **{
            f"samples/class_entropy_{steps}_steps": entropy_bits(_class_shares(classifier, from_noise.looks[steps]))
            for steps in _TOLD
            if steps in from_noise.looks
        },
        "samples/rarest_class": float(shares.min()),
        "samples/two_commonest_classes": float(shares.topk(2).values.sum()),
        "samples/ones_and_nines": float(of_images[[1, 9]].sum()),
        **(
            {"samples/autocorrelation_time": told}
            if told <= longest
            else {"samples/autocorrelation_time_at_least": longest}
        ),
    }


def _end(chains: Chains) -> Tensor:
    """The images of the last look."""
    return chains.looks[max(chains.looks)]


def classes_table(classifier: DigitClassifier, chains: Mapping[str, Chains]) -> Table:
    """The shares of the classes, a line per start and number of steps."""
    lines = []
    for start, each in chains.items():
        for steps, images in sorted(each.looks.items()):
            shares = _class_shares(classifier, images)
            lines.append([start, steps, *shares.tolist(), entropy_bits(shares)])
    headings = ["start", "steps", *map(str, range(CLASSES)), "entropy [bits]"]
    return {heading: list(column) for heading, column in zip(headings, zip(*lines, strict=True), strict=True)}
