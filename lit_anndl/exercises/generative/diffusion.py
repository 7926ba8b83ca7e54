"""Digits out of noise, by a network that takes noise away step by step."""

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
from lit_anndl.exercises.generative import diffusion_steps, latent_interpolations
from lit_anndl.exercises.generative.diffusion_bound import StratifiedBound
from lit_anndl.modules.examined import examined_once
from lit_anndl.modules.exercise import Metrics
from lit_anndl.modules.gradient import GradientExercise
from lit_anndl.nets.dequantization import grey_levels
from lit_anndl.nets.gaussian_diffusion import GaussianDiffusion, Prediction
from lit_anndl.nets.unet import UNet
from lit_anndl.plots.learning import curves
from lit_anndl.quality import latent_prior, sample_distance, sample_quality
from lit_anndl.quality.findings import Findings
from lit_anndl.quality.latent_prior import Prior
from lit_anndl.quality.timed import LIKELIHOOD_SECONDS, PER, timed
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History, Table

TimestepSampling = Literal["uniform", "logit_normal"]
_AT_ONCE = 250
_PAIRS = 250
"""Between latents; a few minutes on one core."""
_RESIDUAL_IMAGES = 64
"""By how many training images it is measured what the denoiser leaves uncertain."""


class DigitDiffusion(GradientExercise[MNISTData]):
    """Gaussian diffusion of images, undone by a U-Net (Ho, Jain & Abbeel, NeurIPS 2020).

    Metrics: `loss`, the mean squared error of what the network predicts, at steps that training draws, see
    `timestep_sampling`, and validation and test spread evenly; of these two `bits_per_dimension`, a bound on -log₂ p of
    the 256 grey levels per pixel, at one random step for each image, and of the test `test/bits_per_dimension_error`,
    its standard error. The bound is that of all T ancestral steps, with variances that suit it best, see
    `nets.gaussian_diffusion`; samples, by fewer steps or other variances, are of another distribution.
    `likelihood/seconds` is what the bounds of 1000 images take by all steps, for one step says nothing of a single
    image. Of samples: `quality/…`, and of images without noise on the way `latent/…`, see `latent_prior`; and the table
    and figure `sampling_steps`, the distance from validation images and the seconds by the number of steps, with
    `sampling_steps/distance_ratio`, see `diffusion_steps`.

    Args:
        optimizer: a class of torch.optim with its arguments.
        channels: of the U-Net at each resolution, 28, 14 and 7 pixels.
        middle_blocks: its residual blocks at the lowest resolution.
        steps: of the diffusion, T.
        prediction: noise, or velocity, see `nets.gaussian_diffusion`.
        timestep_sampling: how steps are drawn in training: uniform, or logit_normal, t / T = 1 / (1 + exp(-z)) with z
            from N(0, 1), rarely those that hide nothing or all (Esser et al., ICML 2024).
        sampling_steps: how many steps a sample takes.
        eta: noise that is added on the way of a sample: 0 for none (DDIM), 1 with all steps for ancestral sampling.
        compared_steps: numbers of steps to compare, one or more.
        compared_samples: how many samples they are compared by; 0 for no comparison.
        lr_scheduler: a class of torch.optim.lr_scheduler with its arguments, which moves the learning rate after each
            epoch; null for a constant rate.
        quality_samples: samples whose quality is measured, beside as many test images; 0 for none.

    Raises:
        InputError: more sampling steps than the diffusion has; channels that cannot be normalised, or too many; one
            sample, or one image, to compare by.
    """

    metric_names = ("loss",)
    is_loss_drawn = True
    needs_single_precision = True
    net: GaussianDiffusion

    def __init__(
        self,
        optimizer: OptimizerCallable,
        channels: list[PositiveInt] = [32, 64, 128],  # noqa: B006  # jsonargparse shows it
        middle_blocks: PositiveInt = 2,
        steps: PositiveInt = 1000,
        prediction: Prediction = "velocity",
        timestep_sampling: TimestepSampling = "uniform",
        sampling_steps: PositiveInt = 50,
        eta: ClosedUnitInterval = 0.0,
        compared_steps: list[PositiveInt] = [5, 10, 20, 50],  # noqa: B006  # jsonargparse shows it
        compared_samples: NonNegativeInt = 500,
        lr_scheduler: LRSchedulerCallable | None = None,
        quality_samples: NonNegativeInt = 10_000,
    ) -> None:
        _check_steps(int(steps), {"sampling_steps": [sampling_steps], "compared_steps": compared_steps})
        if compared_samples == 1:
            raise InputError("model.compared_samples 1 was given, expected 0, or 2 or more")
        super().__init__(
            optimizer,
            GaussianDiffusion(_unet(channels, int(middle_blocks)), int(steps), prediction),
            lr_scheduler=lr_scheduler,
        )
        self.timestep_sampling = timestep_sampling
        self.sampling_steps, self.eta = int(sampling_steps), float(eta)
        self.compared_steps, self.compared_samples = sorted(map(int, compared_steps)), int(compared_samples)
        self.quality_samples = int(quality_samples)

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """The loss everywhere; the bound in validation and test."""
        return (*super().metrics(), "val/bits_per_dimension", "test/bits_per_dimension")

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """The bound's standard error, and the quality of samples."""
        own = ("test/bits_per_dimension_error", LIKELIHOOD_SECONDS, *diffusion_steps.SUMMARIES)
        return (*own, *latent_prior.OF_GENERATORS)

    def build(self, data: MNISTData) -> None:
        """Keeps the seed, of the noise in validation and test."""
        self.seed = data.seed

    def check(self, data: MNISTData) -> None:
        """Refuses images that are no grey levels, and too few of them."""
        sample_quality.check(self.quality_samples, data)
        sample_distance.check(data)
        data.refuse_larger_batches()
        if data.binarization != "none":
            raise InputError(f"data.binarization {data.binarization} was given, expected none: grey levels are learnt")

    def forward(self, images: Tensor) -> Tensor:
        """The squared error of the prediction at a random step, of torch's own generator, for each image: (B,)."""
        x0 = _scaled(images)
        normal = self.timestep_sampling == "logit_normal"
        share = torch.randn(len(x0), device=x0.device).sigmoid() if normal else torch.rand(len(x0), device=x0.device)
        t = (share * self.net.steps).long().clamp(max=self.net.steps - 1) + 1
        return self.net.errors(x0, t, torch.randn_like(x0))

    def measure(self, outputs: Tensor, batch: Batch) -> Metrics:
        """The mean squared error."""
        return {"loss": outputs.mean()}

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        """The error, and the bound, at steps and with noise that are the same in each epoch."""
        errors, bits = self.bound.measure(_scaled(batch[0]))
        return {**self.measure(errors, batch), "bits_per_dimension": bits.mean()}

    def on_validation_epoch_start(self) -> None:
        """Begins the noise anew, and measures what the denoiser, with averaged weights in place, leaves uncertain."""
        self._prepare("val")

    def on_test_epoch_start(self) -> None:
        """Does so for the test."""
        self._prepare("test")

    @torch.no_grad()
    def _prepare(self, stage: str) -> None:
        """Begins the stage's noise anew."""
        data: MNISTData = self.trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it in fit
        images = data.train[0][:_RESIDUAL_IMAGES].to(next(self.parameters()))
        self.eval()
        self.bound = StratifiedBound(self.net, _scaled(images), self.seed, stage)

    # What can be done with it

    @torch.no_grad()
    def sample(
        self, number: int, generator: torch.Generator, steps: int | None = None, eta: float | None = None
    ) -> Tensor:
        """Images of 256 levels in [0, 1] (number, 1, 28, 28), by `sampling_steps` and `eta` unless others are given.

        Raises:
            ValueError: there are no steps, or more than the diffusion has.
        """
        like = next(self.parameters())
        steps, eta = self.sampling_steps if steps is None else steps, self.eta if eta is None else eta
        parts = []
        for size in [len(part) for part in torch.empty(number).split(_AT_ONCE)]:
            x = torch.randn(size, 1, SIDE, SIDE, generator=generator, device=generator.device).to(like)
            parts.append(_images(self.net.sample(x, steps, eta, generator)))
        return torch.cat(parts)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """The noise that leads to images without more noise on the way: (B, 1, 28, 28) → (B, 784)."""
        return self.net.encode(_scaled(images), self.sampling_steps).flatten(1)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Images of noise, without more on the way: (B, 784) → (B, 1, 28, 28)."""
        return _images(self._denoised(codes, self.net))

    def _denoised(self, codes: Tensor, net: GaussianDiffusion) -> Tensor:
        """x_0 of noise x_T (B, 784), whatever the precision of the net: (B, 1, 28, 28)."""
        return net.sample(codes.unflatten(1, (1, SIDE, SIDE)).to(next(net.parameters())), self.sampling_steps)

    # What can be seen of it

    def summary(self, data: MNISTData, history: History) -> dict[str, float]:
        """The bound's standard error, and the quality of samples."""
        error = self.bound.error()
        known = {} if error is None else {"test/bits_per_dimension_error": error}
        return {**known, **self.findings(data).summary}

    def tables(self, data: MNISTData) -> Iterator[tuple[str, Table]]:
        """The parameters per layer; the quality of samples, and by the number of steps."""
        yield from super().tables(data)
        yield from self.findings(data).tables.items()

    def figures(self, data: MNISTData, history: History) -> Iterator[tuple[str, Figure]]:
        """Curves, samples, what becomes of them by the number of steps, interpolations."""
        yield "loss", curves(history, ["train/loss", "val/loss"], "mean squared error of the prediction", log=True)
        if "val/bits_per_dimension" in history:
            yield "bits_per_dimension", curves(history, ["val/bits_per_dimension"], "bits per dimension")
        yield from self.findings(data).figures.items()

    @examined_once
    def findings(self, data: MNISTData) -> Findings:
        """What is found of the tested weights' samples, of latent space, and what a bound costs."""
        self.eval()
        found = self._quality(data)
        if self.compared_samples and data.has_validation:
            own = (self.sampling_steps, self.compared_samples)
            found = found.joined(diffusion_steps.compared(self.sample, self.compared_steps, *own, data, self.device))
        images = data.test[0].to(next(self.parameters()))
        figures = {"fewer_steps": diffusion_steps.of_same_noise(self.sample, self.compared_steps, self.seed)}
        figures |= latent_interpolations.between_images(self.encode, self.decode, images)
        return found.joined(Findings(self._seconds(images), {}, figures))

    @torch.no_grad()
    def _seconds(self, images: Tensor) -> dict[str, float]:
        """Of the bounds of 1000 images by all steps, by the time that one step of some takes."""
        x0 = _scaled(images[:_AT_ONCE])
        step = torch.full((len(x0),), self.net.steps // 2, device=x0.device)
        _, seconds = timed(lambda: self.net.denoised(x0, step), x0.device)
        return {LIKELIHOOD_SECONDS: seconds * self.net.steps * PER / len(x0)}

    def _quality(self, data: MNISTData) -> Findings:
        """Of samples, and of latent space, where noise at the start is all that decides on an image."""
        net = deepcopy(self.net).double()
        prior = Prior(self.decode, lambda z: _unrounded(self._denoised(z, net)), SIDE**2, _PAIRS)
        return prior.examine(data, self.quality_samples, self.device, self.sample if self.eta else None)


def _unet(channels: list[PositiveInt], middle_blocks: int) -> UNet:
    """The network.

    Raises:
        InputError: its channels cannot be normalised; the image cannot be halved so often.
    """
    if not channels or SIDE % 2 ** (len(channels) - 1):
        raise InputError(f"model.channels {channels} was given, expected one to three, for 28, 14 and 7 pixels")
    try:
        return UNet([int(each) for each in channels], middle=middle_blocks)
    except ValueError as error:
        raise InputError(f"model.{error}") from None


def _check_steps(steps: int, asked: dict[str, list[PositiveInt]]) -> None:
    """Refuses a diffusion of one step, and more sampling steps than it has."""
    if not asked["compared_steps"]:
        raise InputError("model.compared_steps [] was given, expected numbers of steps such as [5, 20, 100]")
    if steps < 2:
        raise InputError(f"model.steps {steps} was given, expected 2 or more")
    for name, numbers in asked.items():
        if too_many := [number for number in numbers if number > steps]:
            raise InputError(f"model.{name} {too_many[0]} was given, expected {steps} at most, the steps of diffusion")


def _scaled(images: Tensor) -> Tensor:
    """Grey levels in [-1, 1]."""
    return grey_levels(images).div(127.5).sub(1)


def _images(x: Tensor) -> Tensor:
    """Images of 256 levels in [0, 1]."""
    return _unrounded(x).mul(255).round().div(255)


def _unrounded(x: Tensor) -> Tensor:
    """Grey values in [0, 1]."""
    return (x.clamp(-1, 1) + 1) / 2
