"""How likely a diffusion makes images, from one step for each of them."""

import torch
from torch import Tensor

from lit_anndl.data.streams import stream
from lit_anndl.nets.dequantization import bits_per_dimension
from lit_anndl.nets.gaussian_diffusion import GaussianDiffusion

_RESIDUAL_STEPS = 40
"""At how many steps it is measured what the denoiser leaves uncertain."""


class StratifiedBound:
    """The bound on -log₂ p of the 256 grey levels, per pixel, at random steps and with noise that the seed decides.

    Of a batch of n images one is at a step of each n-th part of all steps, so that the mean hardly depends on which
    steps were drawn.

    Args:
        net: the diffusion, whose weights stay as they are meanwhile.
        known: training images in [-1, 1] (n, 1, height, width), by which the bound's variances are chosen.
        seed: of the run.
        stage: of which the noise is.
    """

    def __init__(self, net: GaussianDiffusion, known: Tensor, seed: int, stage: str) -> None:
        self.net = net
        self.residuals = net.residuals(known, _RESIDUAL_STEPS, stream(seed, "residuals", known.device))
        self.noise = stream(seed, f"diffusion of {stage}")
        self.differences: list[Tensor] = []

    def measure(self, x0: Tensor) -> tuple[Tensor, Tensor]:
        """The squared error of the prediction, and the bound, of each image (B, 1, height, width): twice (B,)."""
        noise = [torch.randn(x0.shape, generator=self.noise).to(x0) for _ in range(2)]
        places = torch.randperm(len(x0), generator=self.noise) + torch.rand(len(x0), generator=self.noise)
        share = places.double().to(x0.device) / len(x0)  # one in each of as many equal parts of [0, 1)
        errors = self.net.errors(x0, 1 + _whole(share, self.net.steps), noise[0])
        nats = self.net.bound(x0, 2 + _whole(share, self.net.steps - 1), noise, self.residuals.to(x0))
        bits = bits_per_dimension(nats, x0[0].numel())
        self.differences.append(_of_neighbours(bits[share.argsort()]).cpu())
        return errors, bits

    def error(self) -> float | None:
        """The standard error of the mean of all that was measured; None for want of two images at a time.

        √Σ(bᵢ - bⱼ)² / n over pairs of images at neighbouring steps: as if both were drawn from one stratum, hence
        rather too large (Cochran, Sampling Techniques, 1977, section 5A.12).
        """
        differences = torch.cat(self.differences).double()
        return float(differences.square().sum().sqrt()) / (2 * len(differences)) if len(differences) else None


def _of_neighbours(values: Tensor) -> Tensor:
    """Of every two values the difference; the last of an odd number is left out."""
    whole = len(values) // 2 * 2
    return values[0:whole:2] - values[1:whole:2]


def _whole(share: Tensor, number: int) -> Tensor:
    """Shares in [0, 1) as whole numbers from 0, below some number."""
    return (share * number).long().clamp(max=number - 1)
