"""What is found of a trained restricted Boltzmann machine: likelihood, chains, filled-in images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lit_anndl.data.digits.idx import SIDE
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.exercises.generative import chain_findings, gibbs_chains, inpainting_results, likelihood
from lit_anndl.exercises.generative.boltzmann_figures import distributions, receptive_fields
from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.digit_classifier import digit_classifier
from lit_anndl.nets.inpainting import inpaint
from lit_anndl.plots.inpainting_errors import inpainting_errors
from lit_anndl.quality.classifier_table import classifier_table
from lit_anndl.quality.findings import Findings
from lit_anndl.runtime.records import Table

SUMMARIES = (*likelihood.summaries(), *gibbs_chains.SUMMARIES, *inpainting_results.SUMMARIES)


@dataclass(frozen=True)
class Examination:
    """What is to be found out; numbers of 0 leave a part out.

    Args:
        likelihood: of the test images.
        sampling_steps: Gibbs steps after which chains are looked at.
        sampling_chains: how many there are.
        inpainting_steps: Gibbs steps that fill in hidden rows.
        inpainting_images: of how many test images.
        region: the rows that a figure hides.
    """

    likelihood: likelihood.Likelihood
    sampling_steps: Sequence[int]
    sampling_chains: int
    inpainting_steps: int
    inpainting_images: int
    region: inpainting_results.Region


@torch.no_grad()
def examine(rbm: RBM, data: MNISTData, wanted: Examination) -> Findings:
    """Whatever is wanted to be known, on the machine's device; each part draws from a stream of the data's seed."""
    device = rbm.weight.device
    likelihoods = stream(data.seed, "chains of the likelihood", device)
    sampling = stream(data.seed, "sampled chains", device)
    filling = stream(data.seed, "filled-in rows", device)
    train, test = (likelihood.binary_images(data, name).to(rbm.weight) for name in ("train", "test"))
    classifier, _ = digit_classifier()
    unnormalised = -float(rbm.free_energy(test).double().mean())
    summary = wanted.likelihood.measure(rbm, train, unnormalised, likelihoods)
    tables: dict[str, Table] = {"classifier": classifier_table()}
    figures = {"filters": receptive_fields(rbm.weight), "distributions": _distributions_figure(rbm, test)}
    if wanted.sampling_chains:
        images = test[: wanted.sampling_chains]
        chains = chain_findings.examine(rbm, images, wanted.sampling_steps, classifier, sampling)
        summary |= chains.summary
        tables |= chains.tables
        figures |= chains.figures
    if wanted.inpainting_steps:
        labels = data.test[1][: wanted.inpainting_images]
        images = test[: wanted.inpainting_images]
        tables["inpainting"] = inpainting_results.table(
            rbm, classifier.to(device), images, labels.to(device), wanted.inpainting_steps, filling
        )
        summary |= inpainting_results.summary(tables["inpainting"])
        figures["inpainting_errors"] = inpainting_errors(tables["inpainting"], inpainting_results.FINE)
        figures["inpainting"] = _inpainting_figure(rbm, images[: chain_findings.SHOWN], wanted, filling)
    return Findings(summary, tables, figures)


def _distributions_figure(rbm: RBM, images: Tensor) -> Figure:
    """Weights, biases, and how active hidden units are."""
    parts = {
        "weights": rbm.weight,
        "visible biases": rbm.visible_bias,
        "hidden biases": rbm.hidden_bias,
        "mean p(h = 1 | v) of each hidden unit": rbm.hidden_probability(images).mean(dim=0),
    }
    return distributions(parts, "weights, biases, and activity on test images")


def _inpainting_figure(rbm: RBM, images: Tensor, wanted: Examination, generator: torch.Generator) -> Figure:
    """Test images without some rows, and with these filled in."""
    hidden, steps = wanted.region.mask(SIDE).to(images.device), wanted.inpainting_steps
    clamped, free = (inpaint(rbm, images, hidden, steps, clamp=clamp, generator=generator) for clamp in (True, False))
    rows = {"original": images, "hidden": images.masked_fill(hidden, 0.0), "filled in": clamped, "not clamped": free}
    title = f"rows {wanted.region.first} to {wanted.region.last - 1} hidden, filled in by {steps} Gibbs steps"
    return chain_findings.shown(rows, title)
