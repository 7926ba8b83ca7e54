"""What a code is good for, measured alike for autoencoders of all kinds: reconstruction, samples, smoothness."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lit_anndl.data.in_memory import in_batches
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.streams import stream
from lit_anndl.nets.digit_classifier import digit_classifier
from lit_anndl.nets.perceptual_path import perceptual_path_length
from lit_anndl.quality import sample_quality
from lit_anndl.quality.findings import Findings
from lit_anndl.runtime.terminal import announce

SUMMARIES = ("latent/mse", "latent/path_length")
OF_AUTOENCODERS = (*SUMMARIES, *sample_quality.SUMMARIES)
_PAIRS = 1000
_JITTER = 1e-6
"""Of the codes' covariance, where units are idle, relative to the largest variance."""


@dataclass(frozen=True)
class LatentSpace:
    """An encoder with its decoder, both in double precision.

    Args:
        encode: images (B, 1, 28, 28) → codes (B, latent).
        decode: codes (B, latent) → images (B, 1, 28, 28) in [0, 1].
    """

    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]

    @torch.no_grad()
    def measure(self, data: MNISTData, device: torch.device) -> dict[str, float]:
        """`latent/mse`, the mean squared error per pixel of grey test images that come back from their codes, and
        `latent/path_length`, the perceptual path length of lines between the codes of pairs of test images, by the
        features of the digit classifier.
        """
        images = data.grey_test.to(device).double()
        codes = self._codes(images)
        error = (in_batches(self.decode, codes) - images).square().mean()
        draws = stream(data.seed, "ways between codes", device)
        number = min(_PAIRS, len(codes))
        start, end = (codes[torch.randperm(len(codes), generator=draws, device=device)[:number]] for _ in range(2))
        classifier = digit_classifier()[0].to(device).double()
        length = perceptual_path_length(self.decode, classifier.features, start, end, draws)
        return {"latent/mse": float(error), "latent/path_length": length}

    @torch.no_grad()
    def gaussian_sampler(self, images: Tensor) -> Callable[[int, torch.Generator], Tensor]:
        """Draws images that are decoded from a Gaussian fitted to the codes of some (n, 1, 28, 28)."""
        codes = self._codes(images.double())
        mean, covariance = codes.mean(dim=0), torch.atleast_2d(codes.T.cov())
        jitter = _JITTER * covariance.diagonal().max().clamp(min=_JITTER)
        factor = torch.linalg.cholesky(covariance + jitter * torch.eye(len(mean), device=mean.device).double())

        def sample(number: int, generator: torch.Generator) -> Tensor:
            noise = torch.randn(number, len(mean), generator=generator, device=generator.device, dtype=mean.dtype)
            return in_batches(self.decode, mean + noise.to(mean) @ factor.T).float()

        return sample

    def _codes(self, images: Tensor) -> Tensor:
        return in_batches(self.encode, images)


def examine_autoencoder(space: LatentSpace, data: MNISTData, number: int, device: torch.device) -> Findings:
    """The code of an autoencoder without a prior, and the quality of samples from a Gaussian fitted to training codes.

    Of the code nothing is measured where images are binarized: what is compared are grey images, which were not learnt.

    Args:
        space: the trained encoder and decoder.
        data: what it was trained on, and the test images.
        number: samples; 0 for none of this.
        device: what is computed on.
    """
    if not number:
        return Findings()
    sampler = space.gaussian_sampler(data.train_as_seen()[0].to(device))
    quality = sample_quality.measure(sampler, data, number, device)
    if data.binarization != "none":
        announce(f"latent/… is left out: of data.binarization {data.binarization} no grey images are learnt")
        return quality
    return Findings({**space.measure(data, device), **quality.summary}, quality.tables, quality.figures)
