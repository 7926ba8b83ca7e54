"""What the exercises on Boltzmann machines of digits share: they sample, and are examined once they are tested."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lit_anndl.data.digits.idx import SIDE
from lit_anndl.data.mnist import MNISTData
from lit_anndl.exercises.generative.likelihood import Likelihood
from lit_anndl.modules.examined import examined_once
from lit_anndl.modules.exercise import Exercise
from lit_anndl.nets.binary_units import draw
from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.contrastive_divergence import run_chains
from lit_anndl.nets.enumerated_states import MOST_ENUMERATED
from lit_anndl.quality import sample_quality
from lit_anndl.quality.findings import Findings
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History, Table


class BoltzmannExercise(Exercise[MNISTData]):
    """A machine of binary pixels, whose gradients are written out and are not shared by several processes.

    Args:
        quality_samples: samples whose quality is measured, see `sample_quality`; 0 for none.

    Attributes:
        likelihood: how log Z is estimated.
        watched: training images (n, 784) as the machine sees them, as many as are held out, whose free energy is
            compared.
    """

    shares_gradients = False
    needs_single_precision = True
    writes_gradients = True
    likelihood: Likelihood
    watched: Tensor

    def __init__(self, quality_samples: int) -> None:
        super().__init__()
        self.quality_samples = quality_samples

    @abstractmethod
    def restricted(self) -> RBM:
        """The machine as a restricted one, whose first visible units are the pixels."""

    @abstractmethod
    def examine(self, data: MNISTData) -> Findings:
        """What is found of the tested machine, beside the quality of its samples."""

    def build(self, data: MNISTData) -> None:
        """Takes the seed of what is drawn in validation and test."""
        self.seed = data.seed

    def check(self, data: MNISTData) -> None:
        """Refuses more chains than memory holds, pixels that are no probabilities, too few samples."""
        sample_quality.check(self.quality_samples, data)
        self.likelihood.check(*self.restricted().weight.shape)
        for images in (data.train[0], data.validation[0], data.test[0]):
            low, high = (float(end) for end in images.aminmax()) if len(images) else (0.0, 0.0)
            if not 0 <= low <= high <= 1:
                raise InputError(f"data: pixels from {low:g} to {high:g} were given, expected 0 to 1, as probabilities")

    def _evaluate(self, batch: Any, stage: str) -> None:
        """In full precision, as gradients are: free energies are hundreds, of which differences matter."""
        with torch.autocast(self.device.type, enabled=False):
            super()._evaluate(batch, stage)

    def on_fit_start(self) -> None:
        """Chooses the training images that are watched."""
        data: MNISTData = self.trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it in fit
        images = data.train[0][: len(data.validation[0]) if data.has_validation else None]
        self.watched = self.seen(data, images).flatten(1).to(next(self.net.parameters()))

    def seen(self, data: MNISTData, images: Tensor) -> Tensor:
        """Training images as the machine sees them, drawn once."""
        return data.binarized("watched", (images,))[0]

    @torch.no_grad()
    def sample(self, number: int, generator: torch.Generator, steps: int = 1000) -> Tensor:
        """Images in [0, 1] (number, 1, 28, 28): p(v = 1 | h) of chains that began at noise, after some Gibbs steps.

        Raises:
            ValueError: fewer than one step.
        """
        if steps < 1:
            raise ValueError(f"steps: {steps} was given, expected 1 or more")
        rbm = self.restricted()
        noise = draw(torch.full((number, len(rbm.visible_bias)), 0.5, device=generator.device), generator)
        states = run_chains(rbm, noise.to(rbm.weight), steps - 1, generator)
        _, probability = rbm.gibbs_step(states, generator)
        return as_images(probability[:, : SIDE**2])

    def summary(self, data: MNISTData, history: History) -> dict[str, float]:
        """Likelihood, and what chains end in."""
        return dict(self.findings(data).summary)

    def tables(self, data: MNISTData) -> Iterator[tuple[str, Table]]:
        """What chains end in, the classifier that says so, and what else there is."""
        yield from self.findings(data).tables.items()

    @examined_once
    def findings(self, data: MNISTData) -> Findings:
        """What is found of the tested machine, and the quality of its samples."""
        quality = sample_quality.measure(self.sample, data, self.quality_samples, self.device)
        return self.examine(data).joined(quality)


def as_images(v: Tensor) -> Tensor:
    """(B, 784) → (B, 1, 28, 28)."""
    return v.reshape(-1, 1, SIDE, SIDE)


def refuse_settings(sampling_steps: Sequence[int], enumerate_states: bool | None, hidden: int) -> None:
    """Refuses to look at chains after no number of steps, and to enumerate the states of too many hidden units."""
    if not sampling_steps:
        raise InputError("model.sampling_steps [] was given, expected numbers of steps such as [1, 10, 100]")
    if enumerate_states and hidden > MOST_ENUMERATED:
        raise InputError(
            f"model.enumerate_states true was given with {hidden} hidden units, expected {MOST_ENUMERATED} at most"
        )
