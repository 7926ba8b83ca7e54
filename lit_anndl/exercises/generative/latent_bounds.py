"""The log-likelihood of images under a latent variable model, each kind of target under a name of its own."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lit_anndl.data.binarization import Binarization
from lit_anndl.data.digits.idx import SIDE
from lit_anndl.nets.importance_bound import importance_bound
from lit_anndl.nets.likelihoods import LikelihoodName
from lit_anndl.nets.variational import VAE
from lit_anndl.quality.timed import LIKELIHOOD_SECONDS, PER, timed
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.terminal import announce

_CHEAP_SAMPLES = 50
"""Of the bound that all test images have."""
_FEWEST = 100
"""Images that a mean difference of two bounds is taken of."""
_FLOPS = 5e12
"""A few minutes on one core."""
_BATCH = 20
"""Images side by side; the codes that are decoded at a time stay in the cache."""


@dataclass(frozen=True)
class Scale:
    """What a log-likelihood is of: nats of one are not nats of another.

    Args:
        targets: the suffix of metrics' names; nothing for binary images that are drawn anew in each epoch.
        is_likelihood: whether it is that of a distribution over the targets.
    """

    targets: str
    is_likelihood: bool = True

    def name(self, metric: str) -> str:
        """A metric's name on this scale."""
        return f"{metric}_{self.targets}" if self.targets else metric


_SCALES: dict[tuple[LikelihoodName, Binarization], Scale] = {
    ("bernoulli", "dynamic"): Scale(""),
    ("bernoulli", "threshold"): Scale("threshold"),
    ("bernoulli", "none"): Scale("grey", is_likelihood=False),
    ("gaussian", "none"): Scale("density"),
    ("categorical", "none"): Scale("levels"),
}
_OF_LIKELIHOODS = ("test/elbo", "test/nll", "test/nll_error")
SUMMARIES = (
    *(scale.name(metric) for scale in _SCALES.values() if scale.is_likelihood for metric in _OF_LIKELIHOODS),
    *(scale.name("test/elbo") for scale in _SCALES.values() if not scale.is_likelihood),
    "test/bits_per_dimension",
    LIKELIHOOD_SECONDS,
)


def scale(likelihood: LikelihoodName, binarization: Binarization) -> Scale:
    """The scale of a likelihood of some targets.

    `test/elbo`, `test/nll`: binary images drawn anew in each epoch, log-probabilities as they are published.
    `…_threshold`: images cut at 1/2, another data set, tens of nats apart. `test/elbo_grey`: grey levels taken for
    probabilities, a cross-entropy that bounds no likelihood, so that there is no `nll`. `…_density`: of grey levels by
    a Gaussian, a density, which has no upper bound. `…_levels`: of 8-bit pixels, with `test/bits_per_dimension` =
    `test/nll_levels` / (784 log 2).

    Raises:
        InputError: binary pixels have no use for the likelihood.
    """
    found = _SCALES.get((likelihood, binarization))
    if found is None:
        raise InputError(
            f"model.likelihood {likelihood} was given for zeros and ones (data.binarization {binarization}), "
            f"expected bernoulli, or grey levels (none)"
        )
    return found


class Bound(NamedTuple):
    """A bound on -log p(x) in nats per image, its standard error, and the seconds that 1000 images take."""

    nats: float
    error: float
    seconds: float


@dataclass(frozen=True)
class BoundOnNLL:
    """-L_k on test images, the estimate of -log p(x) that is published.

    All have a bound of 50 samples, some at random that of k; the mean of the latter over all is the mean of the former
    plus the mean difference of the two, which is known from few images, as it varies little between them: a
    difference estimator (Cochran, Sampling Techniques, 1977, chapter 7).

    Args:
        samples: k; 0 for none of this.
        images: those with k samples, 2 or more; None for as many as take a few minutes, where these are 100 or more.
    """

    samples: int
    images: int | None = None

    def number(self, net: VAE, available: int) -> int:
        """How many images have k samples, of so many."""
        if not self.samples:
            return 0
        if self.images is not None:
            return min(self.images, available)
        affordable = int(_FLOPS / (self.samples * _flops_per_sample(net)))
        return min(affordable, available) if affordable >= min(_FEWEST, available) else 0

    def measure(self, net: VAE, images: Tensor, generator: torch.Generator) -> Bound | None:
        """-L_k of images (n, values), its standard error for want of the images that have fewer samples, seconds."""
        number = self.number(net, len(images))
        if not number:
            return None
        chosen = torch.randperm(len(images), generator=generator, device=images.device)[:number]
        self._announce(net, images[chosen[:_BATCH]], number)
        cheap = None if number == len(images) else -_bounds(net, images, _CHEAP_SAMPLES, generator)
        best, seconds = timed(lambda: -_bounds(net, images[chosen], self.samples, generator), images.device)
        seconds *= PER / number
        if cheap is None:
            return Bound(float(best.mean()), 0.0, seconds)
        differences = best - cheap[chosen]
        unseen = 1 - number / len(images)
        error = float(differences.std()) * math.sqrt(unseen / number)
        return Bound(float(cheap.mean() + differences.mean()), error, seconds)

    def _announce(self, net: VAE, images: Tensor, number: int) -> None:
        """Says how long it will take, by a hundredth of the samples of a few images."""
        few = max(1, self.samples // 100)
        generator = torch.Generator(images.device)
        _, seconds = timed(lambda: importance_bound(net, images, few, generator), images.device, as_waited_for=True)
        seconds *= self.samples / few * number / len(images)
        announce(f"bound on -log p(x): {self.samples} samples for each of {number} test images, {seconds:.0f} s")


def _bounds(net: VAE, images: Tensor, samples: int, generator: torch.Generator) -> Tensor:
    """L_k of each image."""
    return torch.cat([importance_bound(net, batch, samples, generator) for batch in images.split(_BATCH)])


def _flops_per_sample(net: VAE) -> int:
    """Of a decoder's products, and of the likelihood's readout where it has one."""
    decoder = sum(p.numel() for p in net.decoder.parameters() if p.dim() == 2)
    readout = sum(p.numel() for p in net.likelihood.parameters() if p.dim() == 2)
    return 2 * (decoder + SIDE**2 * readout)
