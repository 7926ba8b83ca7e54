"""What latent space is like where a model samples from it, measured alike for all that decode normal latents."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.nets.digit_classifier import DigitClassifier, digit_classifier
from lit_anndl.nets.latent_interpolation import interpolate
from lit_anndl.nets.perceptual_path import PathSteps, path_steps
from lit_anndl.quality import latent_factors, sample_quality
from lit_anndl.quality.findings import Findings
from lit_anndl.quality.sample_quality import Sampler
from lit_anndl.runtime.terminal import announce

_OF_PATHS = ("prior_path_length", "path_detour", "sure", "sure_linear")
SUMMARIES = (
    *(f"latent/{name}" for name in _OF_PATHS),
    *(f"latent/{name}_fading" for name in _OF_PATHS[:2]),
    "latent/sure_floor",
    *latent_factors.SUMMARIES,
)
OF_GENERATORS = (*SUMMARIES, *sample_quality.SUMMARIES)
_SURE = 0.9
"""A classifier is sure of what it gives at least this probability."""
_AT_ONCE = 250

Decoder = Callable[[Tensor], Tensor]
"""Latents (B, latent) ↦ images (B, 1, 28, 28) in [0, 1]."""


def draw_latents(number: int, latent: int, generator: torch.Generator) -> Tensor:
    """Some from the prior, N(0, 1): (number, latent)."""
    return torch.randn(number, latent, generator=generator, device=generator.device)


def draw_images(decode: Decoder, number: int, latent: int, generator: torch.Generator) -> Tensor:
    """The images of these: (number, 1, 28, 28)."""
    return torch.cat([decode(some) for some in draw_latents(number, latent, generator).split(_AT_ONCE)])


@dataclass(frozen=True)
class Prior:
    """A model that makes images of latents z ~ N(0, 1).

    Args:
        decode: its images, as they are sampled.
        smooth: the same in double precision, not rounded to grey levels: a change of latents that is not lost.
        latent: how many values latents have.
        pairs: of latents, between which it is looked at what lies; as many as a few minutes suffice for.
    """

    decode: Decoder
    smooth: Decoder
    latent: int
    pairs: int = 1000

    @torch.no_grad()
    def examine(self, data: MNISTData, number: int, device: torch.device, sample: Sampler | None = None) -> Findings:
        """The quality of samples, see `sample_quality`, and what latent space is like, see `measure_latent_space`.

        Args:
            data: the images that were learnt from, and the test images.
            number: samples; 0 for none of this.
            device: what is computed on.
            sample: draws the samples whose quality is measured, where these are not the images of latents alone.
        """
        if not number:
            return Findings()
        drawn = sample_quality.draw(
            lambda n, draws: draw_images(self.decode, n, self.latent, draws), data, number, device
        )
        z = draw_latents(len(drawn.images), self.latent, sample_quality.drawing(data, device))  # those of the samples
        found = self.measure_latent_space(z, drawn.images, data)
        if sample is not None:
            drawn = sample_quality.draw(sample, data, number, device)
        return found.joined(sample_quality.compared(drawn, data, device))

    def measure_latent_space(self, z: Tensor, images: Tensor, data: MNISTData) -> Findings:
        """`latent/…` of latents drawn from the prior and the images that they stand for, by the digit classifier.

        On great circles between pairs of latents `latent/prior_path_length`, the perceptual path length, and
        `latent/path_detour`, the same over the mean squared distance of the ends' features: 1 on straight lines at
        constant speed, 9 of paths three times as long, as by two other digits. Their `…_fading` is that of test images
        which fade into each other. `latent/sure` is the share of the circles' points that the classifier gives a
        probability of 0.9 or more, `latent/sure_linear` that of straight lines, which lead through more likely latents
        than are ever drawn, and `latent/sure_floor` that of test images. Of factors see `latent_factors`.
        """
        device, number = z.device, min(self.pairs, len(z) // 2)
        announce(f"latent space: interpolations between {number} pairs of latents, a few minutes at most")
        classifier = digit_classifier()[0].to(device)
        scores = torch.cat([classifier(part) for part in images.split(_AT_ONCE)])
        factors = latent_factors.Factors.of(images, scores.argmax(dim=1))
        tests = sample_quality.test_images(data, 2 * number).to(device).double()
        precise = classifier.double()
        start, end = z[:number].double(), z[number : 2 * number].double()
        circles = self._steps(precise, start, end, data)
        features = [precise.features(each.double()) for each in (images[:number], images[number : 2 * number])]
        faded, ends = _fading(precise, tests, data)
        summary = {
            **_lengths(circles, features[0], features[1]),
            **{f"{name}_fading": value for name, value in _lengths(faded, *ends).items()},
            "latent/sure": _sure(precise, circles.here),
            "latent/sure_linear": _sure(precise, self._on_lines(precise, start, end, data)),
            "latent/sure_floor": _sure(precise, torch.cat(ends)),
        }
        known = latent_factors.measure(z, factors, data.stream("factors of other images"))
        return Findings(summary).joined(known)

    def _steps(self, classifier: DigitClassifier, start: Tensor, end: Tensor, data: MNISTData) -> PathSteps:
        """Those on great circles, a part at a time."""
        generator = stream(data.seed, "ways through the prior", start.device)
        parts = [
            path_steps(self.smooth, classifier.features, a, b, generator, "spherical")
            for a, b in zip(start.split(_AT_ONCE), end.split(_AT_ONCE), strict=True)
        ]
        return PathSteps(*(torch.cat(each) for each in zip(*parts, strict=True)))

    def _on_lines(self, classifier: DigitClassifier, start: Tensor, end: Tensor, data: MNISTData) -> Tensor:
        """Features of a random point of each straight line."""
        t = torch.rand(len(start), 1, generator=stream(data.seed, "points of lines", start.device), device=start.device)
        points = interpolate(start, end, t).squeeze(1).float()
        return torch.cat([classifier.features(self.decode(some).double()) for some in points.split(_AT_ONCE)])


def _fading(classifier: DigitClassifier, images: Tensor, data: MNISTData) -> tuple[PathSteps, tuple[Tensor, Tensor]]:
    """Steps on the ways of images (2n, 1, 28, 28) that fade into each other, and the features of their ends."""
    start, end = images[: len(images) // 2], images[len(images) // 2 :][: len(images) // 2]
    steps = path_steps(
        lambda pixels: pixels.unflatten(1, images.shape[1:]),
        classifier.features,
        start.flatten(1),
        end.flatten(1),
        stream(data.seed, "faded images", images.device),
    )
    return steps, (classifier.features(start), classifier.features(end))


def _lengths(steps: PathSteps, start: Tensor, end: Tensor) -> dict[str, float]:
    """The path length, and over the squared distance of the ends' features."""
    length = float(steps.squared_speed.mean())
    distance = float((end - start).square().sum(dim=1).mean())
    return {"latent/prior_path_length": length, "latent/path_detour": length / distance if distance else 1.0}


def _sure(classifier: DigitClassifier, features: Tensor) -> float:
    """The share of images that the classifier is sure of."""
    return float((classifier.readout(features).softmax(dim=1).amax(dim=1) >= _SURE).double().mean())
