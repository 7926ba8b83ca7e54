"""What is found of a trained variational autoencoder: likelihood, active units, reconstructions, interpolations."""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Normal

from lit_anndl.data.digits.idx import CLASSES, SIDE
from lit_anndl.data.in_memory import EVALUATION_BATCH_SIZE
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.exercises.generative import latent_bounds
from lit_anndl.nets.dequantization import bits_per_dimension
from lit_anndl.nets.latent_interpolation import interpolate
from lit_anndl.nets.variational import VAE
from lit_anndl.plots.images import image_rows, sample_grid
from lit_anndl.plots.interpolation import interpolation
from lit_anndl.plots.latent import code_map
from lit_anndl.plots.latent_units import unit_activity
from lit_anndl.quality import latent_prior, latent_space, sample_quality
from lit_anndl.quality.classifier_table import classifier_table
from lit_anndl.quality.findings import Findings
from lit_anndl.quality.latent_prior import Prior, draw_images
from lit_anndl.quality.timed import LIKELIHOOD_SECONDS
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import Table

SUMMARIES = (*latent_bounds.SUMMARIES, "test/active_units", *latent_space.SUMMARIES, *latent_prior.OF_GENERATORS)
_DECODED_AT_ONCE = 250
"""Codes: 256 levels of as many pixels in double precision are 400 MB."""
_ACTIVE = 0.01
_SHOWN = 10
_PAIRS = 5
_GRID = 15
_MARGIN = 0.02


@dataclass(frozen=True)
class Examination:
    """What is to be found out; numbers of 0 leave a part out.

    Args:
        bound: on -log p(x) of the test images.
        quality_samples: whose quality is measured.
    """

    bound: latent_bounds.BoundOnNLL
    quality_samples: int

    def check(self, data: MNISTData) -> None:
        """Refuses too few samples or images to say something of."""
        sample_quality.check(self.quality_samples, data)
        if self.bound.images == 1:
            raise InputError("model.nll_images 1 was given, expected 2 or more, for an error")


def decode(net: VAE, codes: Tensor) -> Tensor:
    """E[x | z], in [0, 1]: (B, latent) → (B, 1, 28, 28)."""
    parts = codes.split(_DECODED_AT_ONCE)
    return torch.cat([net.likelihood.mean(net.decode(part)) for part in parts]).reshape(-1, 1, SIDE, SIDE)


@torch.no_grad()
def examine(net: VAE, data: MNISTData, wanted: Examination, scale: latent_bounds.Scale) -> Findings:
    """Whatever is wanted to be known, on the model's device."""
    like = next(net.parameters())
    precise = deepcopy(net).double()
    prior = Prior(lambda z: decode(net, z.to(like)), lambda z: decode(precise, z), net.latent)
    images, labels = data.test[0].to(like), data.test[1]
    posteriors = [net.encode(batch.flatten(1)) for batch in images.split(EVALUATION_BATCH_SIZE)]
    means = torch.cat([each.mean for each in posteriors])
    activity = means.var(dim=0) if len(means) > 1 else torch.zeros_like(means[0])
    summary = {"test/active_units": float((activity > _ACTIVE).sum())}
    if scale.is_likelihood:
        generator = stream(data.seed, "codes of the bound", like.device)
        summary |= _likelihood(wanted.bound.measure(net, images.flatten(1), generator), scale)
    tables: dict[str, Table] = {}
    if data.binarization == "none":
        summary |= _space(net).measure(data, like.device)
        tables["classifier"] = classifier_table()
    figures = {
        "reconstructions": _reconstructions_figure(net, images[:_SHOWN], means[:_SHOWN]),
        "interpolation": _interpolation_figure(net, means, labels, 5),
        "path": _interpolation_figure(net, means, labels, 10),
        "units": unit_activity(activity.float().cpu().numpy(), _ACTIVE),
        **(_plane_figures(net, means, labels) if net.latent == 2 else {}),
    }
    if not wanted.quality_samples:
        drawn = draw_images(prior.decode, _SHOWN**2, net.latent, stream(data.seed, "samples", like.device))
        figures["samples"] = sample_grid(drawn.cpu(), "E[x | z] of codes from the prior")
    divergence = torch.cat([posterior.kl_by_unit() for posterior in posteriors])
    tables["units"] = {
        "unit": list(range(net.latent)),
        "variance of the mean": activity.tolist(),
        "KL divergence [nats]": divergence.mean(dim=0).tolist(),
    }
    return Findings(summary, tables, figures).joined(prior.examine(data, wanted.quality_samples, like.device))


def _space(net: VAE) -> latent_space.LatentSpace:
    """Means of codes, and what is decoded."""
    precise = deepcopy(net).double()
    return latent_space.LatentSpace(
        lambda images: precise.encode(images.flatten(1)).mean, lambda codes: decode(precise, codes)
    )


def _likelihood(measured: latent_bounds.Bound | None, scale: latent_bounds.Scale) -> dict[str, float]:
    """The bound under the names of its scale."""
    if measured is None:
        return {}
    nll, error, seconds = measured
    bits = {"test/bits_per_dimension": bits_per_dimension(nll, SIDE**2)} if scale.targets == "levels" else {}
    own = {f"test/{scale.name('nll')}": nll, f"test/{scale.name('nll_error')}": error}
    return {**own, **bits, LIKELIHOOD_SECONDS: seconds}


def _reconstructions_figure(net: VAE, images: Tensor, means: Tensor) -> Figure:
    """Some test images, and what comes back from their codes' means."""
    rows = {"original": images, "from the\nmean code": decode(net, means)}
    title = "test images, and what comes back from the means of their codes"
    return image_rows({name: _pixels(each) for name, each in rows.items()}, title)


def _interpolation_figure(net: VAE, means: Tensor, labels: Tensor, steps: int) -> Figure:
    """Interpolations between the codes of test images of different classes, the first of each."""
    firsts = [int(found[0]) for label in range(CLASSES) if len(found := (labels == label).nonzero().flatten())]
    pairs = list(zip(firsts, [*firsts[1:], firsts[0]], strict=True))[::2][:_PAIRS]
    start, end = (means[list(ends)] for ends in zip(*pairs, strict=True))
    weights = torch.linspace(0, 1, steps)
    codes = interpolate(start, end, weights)  # (pairs, steps, latent)
    images = decode(net, codes.flatten(0, 1)).reshape(len(pairs), steps, SIDE, SIDE)
    names = [f"{labels[a]} → {labels[b]}" for a, b in pairs]
    title = "decoded on straight lines between the codes of test images"
    return interpolation(images.float().cpu().numpy(), weights.tolist(), title, names)


def _plane_figures(net: VAE, means: Tensor, labels: Tensor) -> dict[str, Figure]:
    """The codes of two dimensions, and what is decoded where the prior's quantiles cross."""
    axes = Normal(0.0, 1.0).icdf(torch.linspace(_MARGIN, 1 - _MARGIN, _GRID))
    first, second = torch.meshgrid(axes, axes.flip(0), indexing="xy")  # the second rises upwards, as in the map
    codes = torch.stack([first, second], dim=-1).reshape(-1, 2).to(means)
    names = ("first unit of the code", "second unit of the code")
    return {
        "code_map": code_map(means.float().cpu().numpy(), labels.numpy(), names),
        "code_grid": sample_grid(
            decode(net, codes).cpu(), "decoded where quantiles of the prior from 0.02 to 0.98 cross", _GRID
        ),
    }


def _pixels(images: Tensor) -> NDArray[np.float32]:
    """(n, 1, 28, 28) → (n, 28, 28)."""
    return images[:, 0].float().cpu().numpy()
