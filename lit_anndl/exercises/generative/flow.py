"""Digits by normalizing flows, whose likelihood is exact but for the dequantization of grey levels."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Literal

import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeInt, PositiveInt
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from matplotlib.figure import Figure
from torch import Tensor

from lit_anndl.data.batches import Batch
from lit_anndl.data.digits.idx import SIDE
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.exercises.generative import latent_interpolations
from lit_anndl.modules.examined import examined_once
from lit_anndl.modules.exercise import Metrics
from lit_anndl.modules.gradient import GradientExercise
from lit_anndl.nets.dequantization import (
    LogitSpace,
    UniformDequantization,
    VariationalDequantization,
    bits_per_dimension,
)
from lit_anndl.nets.masked_autoregression import AutoregressiveFlow
from lit_anndl.nets.multiscale_coupling import MultiscaleCoupling
from lit_anndl.nets.normalizing_flow import NormalizingFlow
from lit_anndl.plots.images import image_rows
from lit_anndl.plots.learning import curves
from lit_anndl.quality import latent_prior, sample_quality
from lit_anndl.quality.findings import Findings
from lit_anndl.quality.latent_prior import Prior, draw_images
from lit_anndl.quality.timed import LIKELIHOOD_SECONDS, PER, timed
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History, Table

_SHOWN = 10
_LEAST_ALPHA = 1e-7
"""Below it single precision rounds α + (1 - 2α) y of the brightest pixels to 1, whose logit is infinite."""


class DigitFlow(GradientExercise[MNISTData]):
    """The density of images of 256 grey levels, by an invertible map to normal latents.

    Metrics: `bits_per_dimension`, minus a bound on log₂ p of the 256 levels, per pixel, with the Jacobians of all that
    is done to them; `nll`, the same in nats per image; `logit_log_likelihood`, of log p of the logits of images with
    noise, minus log q of the noise where it is learnt, without these Jacobians: with uniform noise it compares
    with what others publish of the same α alone. Of the test: `quality/…` and `latent/…`, see `latent_prior`, and
    `likelihood/seconds`, what the likelihoods of 1000 images take.

    Args:
        optimizer: a class of torch.optim with its arguments.
        kind: coupling, multi-scale, as fast one way as the other (RealNVP and Glow); or autoregressive (MAF), whose
            samples come one pixel after the other.
        steps: of mixing and coupling at each scale; or autoregressive ones in all.
        hidden: channels in the couplings' networks; or units in each autoregressive step.
        scales: of the couplings.
        alpha: α, how far logits stay from the ends, logit(α + (1 - 2α) y).
        dequantization: uniform noise, or variational, noise that is learnt.
        lr_scheduler: a class of torch.optim.lr_scheduler with its arguments, which moves the learning rate after each
            epoch; null for a constant rate.
        quality_samples: samples whose quality is measured, beside as many test images; 0 for none.

    Raises:
        InputError: images cannot be halved as often as there are scales; α that leaves no room.
    """

    metric_names = ("bits_per_dimension", "nll", "logit_log_likelihood")
    is_loss_drawn = True
    needs_single_precision = True
    net: NormalizingFlow

    def __init__(
        self,
        optimizer: OptimizerCallable,
        kind: Literal["coupling", "autoregressive"] = "coupling",
        steps: PositiveInt = 6,
        hidden: PositiveInt = 64,
        scales: PositiveInt = 2,
        alpha: ClosedUnitInterval = 0.05,
        dequantization: Literal["uniform", "variational"] = "uniform",
        lr_scheduler: LRSchedulerCallable | None = None,
        quality_samples: NonNegativeInt = 10_000,
    ) -> None:
        if not _LEAST_ALPHA <= alpha < 0.5:
            raise InputError(f"model.alpha {alpha} was given, expected {_LEAST_ALPHA} or more, and less than 0.5")
        if kind == "coupling" and SIDE % 2**scales:
            raise InputError(f"model.scales {scales} was given, but {SIDE} x {SIDE} pixels are halved twice at most")
        transform = (
            MultiscaleCoupling(SIDE, int(scales), int(steps), int(hidden))
            if kind == "coupling"
            else AutoregressiveFlow(SIDE, int(steps), int(hidden))
        )
        noise = UniformDequantization() if dequantization == "uniform" else VariationalDequantization()
        super().__init__(
            optimizer, NormalizingFlow(transform, noise, LogitSpace(float(alpha))), lr_scheduler=lr_scheduler
        )
        self.quality_samples = int(quality_samples)
        self.noise: torch.Generator | None = None

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """The quality of samples."""
        return (LIKELIHOOD_SECONDS, *latent_prior.OF_GENERATORS)

    def build(self, data: MNISTData) -> None:
        """Keeps the seed, of the noise in validation and test."""
        self.seed = data.seed

    def check(self, data: MNISTData) -> None:
        """Refuses images that are no grey levels, and too few of them."""
        sample_quality.check(self.quality_samples, data)
        data.refuse_larger_batches()
        if data.binarization != "none":
            raise InputError(
                f"data.binarization {data.binarization} was given, expected none: a density of grey levels is learnt"
            )

    def forward(self, images: Tensor) -> Tensor:
        """Two terms whose sum bounds log p of images of 256 levels in nats, see `NormalizingFlow`: (B, 2)."""
        return self.net(images, None if self.training else self.noise)  # type: ignore[no-any-return]

    def measure(self, outputs: Tensor, batch: Batch) -> Metrics:
        """Bits per pixel, and nats per image."""
        nll = -outputs.sum(dim=1).mean()
        return {
            "bits_per_dimension": bits_per_dimension(nll, SIDE**2),
            "nll": nll,
            "logit_log_likelihood": outputs[:, 0].mean(),
        }

    def on_evaluation_start(self, stage: str) -> None:
        """Begins the noise anew."""
        self.noise = stream(self.seed, f"dequantization of {stage}")

    # What can be done with it

    @torch.no_grad()
    def sample(self, number: int, generator: torch.Generator) -> Tensor:
        """Images of 256 levels in [0, 1]: (number, 1, 28, 28)."""
        like = next(self.parameters())
        return draw_images(lambda z: self.decode(z.to(like)), number, SIDE**2, generator)

    def encode(self, images: Tensor) -> Tensor:
        """Latents: (B, 1, 28, 28) → (B, 784)."""
        return self.net.encode(images)

    def decode(self, codes: Tensor) -> Tensor:
        """Images of latents: (B, 784) → (B, 1, 28, 28)."""
        return self.net.decode(codes)

    # What can be seen of it

    def summary(self, data: MNISTData, history: History) -> dict[str, float]:
        """The quality of samples."""
        return dict(self.findings(data).summary)

    def tables(self, data: MNISTData) -> Iterator[tuple[str, Table]]:
        """The parameters per layer; the quality of samples."""
        yield from super().tables(data)
        yield from self.findings(data).tables.items()

    def figures(self, data: MNISTData, history: History) -> Iterator[tuple[str, Figure]]:
        """Curves, samples, interpolations between test images, and the images that are likely and unlikely."""
        names = ["train/bits_per_dimension", "val/bits_per_dimension"]
        yield "bits_per_dimension", curves(history, names, "bits per dimension")
        yield from self.findings(data).figures.items()
        yield "likely_images", _likely(data.test[0], torch.cat(self.test_outputs).sum(dim=1))

    @examined_once
    def findings(self, data: MNISTData) -> Findings:
        """The quality of the tested weights' samples, latent space, interpolations, a likelihood's price."""
        like = next(self.parameters())
        prior = Prior(lambda z: self.decode(z.to(like)), deepcopy(self.net).double().dequantized, SIDE**2)
        figures = latent_interpolations.between_images(self.encode, self.decode, data.test[0].to(like))
        others = Findings(self._seconds(data), figures=figures)
        return prior.examine(data, self.quality_samples, self.device).joined(others)

    @torch.no_grad()
    def _seconds(self, data: MNISTData) -> dict[str, float]:
        """Of the likelihoods of 1000 test images."""
        images = data.test[0][:PER].to(next(self.parameters()))
        _, seconds = timed(lambda: self.net(images, stream(self.seed, "timed", images.device)), images.device)
        return {LIKELIHOOD_SECONDS: seconds * PER / len(images)}


def _likely(images: Tensor, log_likelihood: Tensor) -> Figure:
    """The test images of the largest and of the smallest likelihood."""
    order = log_likelihood.argsort(descending=True)
    rows = {"most likely": images[order[:_SHOWN], 0].numpy(), "least likely": images[order[-_SHOWN:], 0].numpy()}
    return image_rows(rows, "test images that the flow gives the largest and the smallest likelihood")
