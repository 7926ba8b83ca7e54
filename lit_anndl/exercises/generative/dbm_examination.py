"""What is found of a trained deep Boltzmann machine: a bound on the likelihood, chains, pictures of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lit_anndl.data.in_memory import in_batches
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.exercises.generative import chain_findings, dbm_figures, gibbs_chains, likelihood
from lit_anndl.exercises.generative.boltzmann_figures import receptive_fields
from lit_anndl.nets.deep_boltzmann import DBM
from lit_anndl.nets.digit_classifier import digit_classifier
from lit_anndl.quality.classifier_table import classifier_table
from lit_anndl.quality.findings import Findings
from lit_anndl.runtime.records import Table

BOUND = "log_likelihood_bound"
SUMMARIES = (*likelihood.summaries(BOUND), *gibbs_chains.SUMMARIES)
_CONVERGED = 20
"""Updates of the means after which the bound hardly rises."""
_SOME = 2000
"""Training images whose rates are the base's, and test images whose inferred activity is shown."""


@dataclass(frozen=True)
class Examination:
    """What is to be found out; numbers of 0 leave a part out.

    Args:
        likelihood: the bound for the test images.
        sampling_steps: Gibbs steps after which chains are looked at.
        sampling_chains: how many there are.
    """

    likelihood: likelihood.Likelihood
    sampling_steps: Sequence[int]
    sampling_chains: int


@torch.no_grad()
def examine(dbm: DBM, data: MNISTData, wanted: Examination) -> Findings:
    """Whatever is wanted to be known, on the machine's device; each part draws from a stream of the data's seed."""
    device = dbm.lower.device
    likelihoods = stream(data.seed, "chains of the likelihood", device)
    sampling = stream(data.seed, "sampled chains", device)
    train, test = (likelihood.binary_images(data, name).to(dbm.lower) for name in ("train", "test"))
    classifier, _ = digit_classifier()
    rbm = dbm.as_rbm()
    samples = _with_second_layer(dbm, train[:_SOME], likelihoods)
    summary = wanted.likelihood.measure(rbm, samples, _mean_bound(dbm, test), likelihoods)
    tables: dict[str, Table] = {"classifier": classifier_table()}
    figures = {
        "filters": receptive_fields(dbm.lower, "first layer, W₁: "),
        "second_layer_filters": receptive_fields(dbm.lower @ dbm.upper, "second layer, W₁W₂: "),
        "distributions": dbm_figures.distributions(dbm, dbm.mean_field(test[:_SOME], _CONVERGED)),
    }
    if wanted.sampling_chains:
        start = _with_second_layer(dbm, test[: wanted.sampling_chains], sampling)
        chains = chain_findings.examine(rbm, start, wanted.sampling_steps, classifier, sampling)
        summary |= chains.summary
        tables |= chains.tables
        figures |= chains.figures
    return Findings(summary, tables, figures)


def _mean_bound(dbm: DBM, images: Tensor) -> float:
    """The mean of the bound on log p*(v) over images (n, visible)."""
    return float(in_batches(lambda v: dbm.bound(dbm.mean_field(v, _CONVERGED)), images).double().mean())


def _with_second_layer(dbm: DBM, images: Tensor, generator: torch.Generator) -> Tensor:
    """Images with states of h₂ that are drawn from what is inferred: (n, visible + second)."""
    means = in_batches(lambda v: dbm.mean_field(v, _CONVERGED).second, images)
    return torch.cat([images, torch.bernoulli(means, generator=generator)], dim=1)
