"""What is found of the Gibbs chains of a machine of digits, from test images and from noise."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from lit_anndl.data.digits.idx import SIDE
from lit_anndl.exercises.generative import gibbs_chains
from lit_anndl.exercises.generative.gibbs_chains import Chains
from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.digit_classifier import DigitClassifier
from lit_anndl.plots.images import image_rows
from lit_anndl.quality.findings import Findings

SHOWN = 12
"""Chains, or filled-in images, in a figure."""
_WATCHED = 50
"""Chains from images that go on after the last look, to tell how long they remember."""
_LONGER = 10
"""So many times the steps up to that look, which count as the way to the machine's distribution."""


@torch.no_grad()
def examine(
    rbm: RBM, images: Tensor, steps: Sequence[int], classifier: DigitClassifier, generator: torch.Generator
) -> Findings:
    """As many chains from noise as there are from images, looked at after some numbers of steps.

    Args:
        rbm: the machine, whose visible units are the pixels, and after these others of a deep machine.
        images: states of the visible units (chains, visible) that one half of the chains begins at.
        steps: after how many Gibbs steps they are looked at.
        classifier: what tells which class an image is taken for.
        generator: of the chains.
    """
    noise = torch.bernoulli(torch.full_like(images, 0.5), generator=generator)
    starts = {"test images": images, "noise": noise}
    chains = {name: gibbs_chains.run(rbm, each, steps, SIDE**2, generator) for name, each in starts.items()}
    of_images = chains["test images"]
    energies = gibbs_chains.free_energies(rbm, of_images.last[:_WATCHED], _LONGER * max(steps), generator)
    return Findings(
        gibbs_chains.summary(classifier, of_images, chains["noise"], energies),
        {"chain_classes": gibbs_chains.classes_table(classifier, chains)},
        {
            f"chains_from_{name.replace(' ', '_')}": _figure(starts[name][:, : SIDE**2], each, name)
            for name, each in chains.items()
        },
    )


def as_pixels(flat: Tensor) -> NDArray[np.float32]:
    """(n, 784) → (n, 28, 28)."""
    return flat.cpu().reshape(-1, SIDE, SIDE).numpy()


def shown(rows: Mapping[str, Tensor], title: str) -> Figure:
    """The first of some images (n, 784), a row of them for each name."""
    return image_rows({label: as_pixels(each[:SHOWN]) for label, each in rows.items()}, title)


def _figure(start: Tensor, chains: Chains, name: str) -> Figure:
    """The first chains, a row of them for each number of steps."""
    looks = {f"step {steps}": images for steps, images in sorted(chains.looks.items())}
    return shown({"start": start, **looks}, f"Gibbs chains from {name}: p(v = 1 | h)")
