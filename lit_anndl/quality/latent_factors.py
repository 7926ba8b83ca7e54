"""Whether single latents, or lines through latent space, stand for what can be seen of a digit."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.metrics import r2_score
from torch import Tensor

from lit_anndl.nets.mutual_information_gap import in_bins, mutual_information, mutual_information_gap
from lit_anndl.nets.stroke_measurements import Strokes, stroke_measurements
from lit_anndl.quality.findings import Findings
from lit_anndl.runtime.records import Table

CLASS = "class"
_OF_FACTORS = ("mig", *(f"probe_{name}" for name in (CLASS, *Strokes._fields)))
SUMMARIES = tuple(f"latent/{name}{suffix}" for name in _OF_FACTORS for suffix in ("", "_chance"))
_PENALTIES = np.logspace(-1, 5, 7)
_CONSTANT = 1e-6
_FEWEST = 20
"""Pairs, below which nothing is said."""


@dataclass(frozen=True)
class Factors:
    """What can be seen of images.

    Args:
        classes: that a classifier takes them for (n,).
        strokes: what is measured of their strokes.
    """

    classes: Tensor
    strokes: Strokes

    @classmethod
    def of(cls, images: Tensor, classes: Tensor) -> "Factors":
        """Those of images (n, 1, 28, 28)."""
        return cls(classes.cpu(), Strokes(*(each.cpu() for each in stroke_measurements(images))))

    def shuffled(self, generator: torch.Generator) -> "Factors":
        """Those of other images: of a random one each."""
        order = torch.randperm(len(self.classes), generator=generator)
        return Factors(self.classes[order], Strokes(*(each[order] for each in self.strokes)))

    @property
    def binned(self) -> dict[str, Tensor]:
        """Each as whole numbers."""
        return {CLASS: self.classes, **{k: in_bins(v[:, None])[:, 0] for k, v in self.strokes._asdict().items()}}


def measure(latents: Tensor, factors: Factors, generator: torch.Generator) -> Findings:
    """Of pairs of latents (n, d) and what can be seen of their images.

    `latent/mig`, the mean over the factors (class, thickness, slant, width, height) of the mutual-information gap, see
    `nets.mutual_information_gap`, latents and strokes in 10 equally filled bins; `latent/probe_class`, the accuracy of
    a linear classifier of the latents, and `latent/probe_thickness` and the like, R² of linear regression: ridge,
    fitted to half of the pairs, its penalty by leave-one-out among them, measured on the other half. `…_chance` is what
    is found of factors of other images. The table `latent_factors` has each factor's gap.
    """
    if len(latents) < _FEWEST:
        return Findings()
    columns, shuffled = in_bins(latents.cpu()), factors.shuffled(generator)
    gaps, chance_gaps = (
        {name: mutual_information_gap(columns, values) for name, values in each.binned.items()}
        for each in (factors, shuffled)
    )
    z = latents.cpu().double().numpy()
    probes, chance_probes = _probes(z, factors), _probes(z, shuffled)
    found = {"mig": float(np.mean(list(gaps.values()))), **{f"probe_{k}": v for k, v in probes.items()}}
    chance = {"mig": float(np.mean(list(chance_gaps.values()))), **{f"probe_{k}": v for k, v in chance_probes.items()}}
    summary = {f"latent/{k}": v for k, v in found.items()} | {f"latent/{k}_chance": v for k, v in chance.items()}
    known = {name: mutual_information(columns, values) for name, values in factors.binned.items()}
    table: Table = {
        "factor": list(gaps),
        "gap": list(gaps.values()),
        "gap by chance": list(chance_gaps.values()),
        "latent that knows most": [int(each.argmax()) for each in known.values()],
        "nats that it knows": [float(each.max()) for each in known.values()],
        "linear probe": list(probes.values()),
        "linear probe by chance": list(chance_probes.values()),
        "pairs": [len(z)] * len(gaps),
    }
    return Findings(summary, {"latent_factors": table})


def _probes(z: NDArray[np.float64], factors: Factors) -> dict[str, float]:
    """Accuracy for the class, R² for the others."""
    half = len(z) // 2
    classes = factors.classes.numpy()
    if len(set(classes[:half])) > 1:
        accuracy = RidgeClassifierCV(_PENALTIES).fit(z[:half], classes[:half]).score(z[half:], classes[half:])
    else:  # the generator knows one class alone
        accuracy = float((classes[half:] == classes[0]).mean())
    strokes = np.stack([each.double().numpy() for each in factors.strokes], axis=1)
    ridge = RidgeCV(_PENALTIES, alpha_per_target=True).fit(z[:half], strokes[:half])
    shares = r2_score(strokes[half:], ridge.predict(z[half:]), multioutput="raw_values")
    shares[strokes[half:].std(axis=0) < _CONSTANT] = 0.0  # there is nothing to know
    return {CLASS: float(accuracy), **dict(zip(Strokes._fields, map(float, shares), strict=True))}
