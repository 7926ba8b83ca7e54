"""Diffusion of examples into noise, step by step, and back by a network that tells the two apart."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.special import log_ndtr

Prediction = Literal["noise", "velocity"]
"""What the network tells of x_t: ε, or v = √ᾱ ε - √(1 - ᾱ) x_0."""
_OFFSET = 0.008
_LARGEST_BETA = 0.999
_SMALLEST_RESIDUAL = 1e-10
"""Far below a grey level; of examples that a denoiser knows exactly there is no logarithm."""


def cosine_schedule(steps: int) -> Tensor:
    """ᾱ_0 = 1, …, ᾱ_T, the share of the variance at each step that is the example's, by a squared cosine: (T + 1,).

    No step takes more than 0.999 of what is left (Nichol & Dhariwal, ICML 2021).

    >>> cosine_schedule(4)[0].item()
    1.0
    """
    angle = (torch.linspace(0, 1, steps + 1, dtype=torch.float64) + _OFFSET) / (1 + _OFFSET) * math.pi / 2
    kept = angle.cos().square()
    ratios = (kept[1:] / kept[:-1]).clamp(min=1 - _LARGEST_BETA)
    return torch.cat([torch.ones(1, dtype=torch.float64), ratios.cumprod(dim=0)])


class GaussianDiffusion(nn.Module):
    """q(x_t | x_0) = N(√ᾱ_t x_0, (1 - ᾱ_t) I), t from 0 to T, and its reverse, with x̂_0 of the network for x_0.

    Sources: Ho, Jain & Abbeel, NeurIPS 2020; velocities: Salimans & Ho, ICLR 2022.

    Args:
        denoiser: (x_t (B, …), t / T (B,)) → prediction (B, …).
        steps: T.
        prediction: what the denoiser predicts.
        bounded: whether examples lie in [-1, 1], as images do: on the way back x̂_0 is kept within, in samples and in
            the bound, which is lower for it. Where ᾱ is small, the x̂_0 of predicted noise may lie anywhere.

    Attributes:
        alpha_bar: ᾱ (T + 1,), in double precision whatever the network's: close to 1 few numbers are to be had.

    Shapes: x (B, …), t whole numbers (B,).
    """

    def __init__(
        self, denoiser: nn.Module, steps: int = 1000, prediction: Prediction = "velocity", bounded: bool = True
    ) -> None:
        super().__init__()
        self.denoiser, self.steps, self.prediction, self.bounded = denoiser, steps, prediction, bounded
        self.alpha_bar = cosine_schedule(steps)

    def noised(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t = √ᾱ_t x_0 + √(1 - ᾱ_t) ε."""
        signal, rest = self._scales(t, x0)
        return signal * x0 + rest * noise

    def errors(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """The squared error of the prediction, the mean over the values of each example: (B,)."""
        signal, rest = self._scales(t, x0)
        target = noise if self.prediction == "noise" else signal * noise - rest * x0
        predicted = self.denoiser(self.noised(x0, t, noise), t / self.steps)
        squares: Tensor = (predicted - target).square()
        return squares.flatten(1).mean(dim=1)

    def denoised(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """x̂_0 and ε̂ of x_t."""
        signal, rest = self._scales(t, x)
        predicted = self.denoiser(x, t / self.steps)
        if self.prediction == "velocity":
            return signal * x - rest * predicted, rest * x + signal * predicted
        return (x - rest * predicted) / signal, predicted

    def move(self, x: Tensor, start: int, end: int, eta: float = 0.0, noise: Tensor | None = None) -> Tensor:
        """x at another step: √ᾱ x̂_0 + √(1 - ᾱ - σ²) ε̂ + σ z, forwards or backwards, with ᾱ of the end.

        σ = η √((1 - ᾱ_end) / (1 - ᾱ_start)) √(1 - ᾱ_start / ᾱ_end). With η = 0 no noise is added, and each x_T has one
        x_0 (DDIM); with η = 1 and one step back it is the ancestral sampling of the process itself (Song, Meng & Ermon,
        ICLR 2021).

        Args:
            x: at the start (B, …).
            start: t.
            end: another t, smaller for the way back.
            eta: η, for the way back alone.
            noise: z; none is needed for η = 0.

        Raises:
            ValueError: σ is not 0, and there is no noise.
        """
        t = torch.full((len(x),), start, device=x.device)
        x0, predicted = self.denoised(x, t)
        if end < start:
            signal, rest = self._scales(t, x)
            x0 = self._kept(x0)
            predicted = (x - signal * x0) / rest
        before, after = self.alpha_bar[start].item(), self.alpha_bar[end].item()
        sigma = eta * math.sqrt((1 - after) / (1 - before) * (1 - before / after)) if end < start and eta else 0.0
        moved = math.sqrt(after) * x0 + math.sqrt(max(0.0, 1 - after - sigma**2)) * predicted
        if not sigma:
            return moved
        if noise is None:
            raise ValueError(f"no noise was given, expected some for eta {eta:g}")
        return moved + sigma * noise

    def times(self, number: int) -> Sequence[int]:
        """Some steps from 0 to T, evenly spread, both ends among them: for so many moves.

        Raises:
            ValueError: there are no moves, or more than steps.
        """
        if not 0 < number <= self.steps:
            raise ValueError(f"{number} sampling steps were given, expected 1 to {self.steps}, those of the diffusion")
        return [round(each * self.steps / number) for each in range(number + 1)]

    def sample(self, x: Tensor, number: int, eta: float = 0.0, generator: torch.Generator | None = None) -> Tensor:
        """x_0 from x_T, normal noise, by so many moves."""
        times = self.times(number)[::-1]
        for start, end in pairwise(times):
            device = x.device if generator is None else generator.device
            noise = torch.randn(x.shape, generator=generator, device=device).to(x) if eta else None
            x = self.move(x, start, end, eta, noise)
        return x

    def encode(self, x: Tensor, number: int) -> Tensor:
        """The x_T that leads to x_0, but for the size of the moves, without noise."""
        first, *times = self.times(number)
        for end in times:
            x = self.move(x, max(first, 1), end)  # at t = 0 there is no noise to be told
            first = end
        return x

    def residuals(self, x0: Tensor, number: int, generator: torch.Generator | None = None) -> Tensor:
        """m_t, the mean of (x_0 - x̂_0)² per value, of t = 0 … T (T + 1,): what the reverse process leaves uncertain.

        Measured at some steps, evenly spread by log SNR, and in between interpolated, both logarithms linearly.

        Args:
            x0: examples.
            number: of steps, at most.
            generator: of the noise.
        """
        log_snr = torch.logit(self.alpha_bar[1:])
        wanted = torch.linspace(float(log_snr[0]), float(log_snr[-1]), number, dtype=torch.float64)
        measured = (torch.searchsorted(-log_snr, -wanted) + 1).clamp(max=self.steps).unique()
        found = []
        for step in measured.tolist():
            t = torch.full((len(x0),), step, device=x0.device)
            noise = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
            squares = (x0 - self._restored(x0, t, noise)).square()
            found.append(squares.mean().clamp(min=_SMALLEST_RESIDUAL).log().cpu())
        places = -log_snr[measured - 1]
        return _interpolated(-log_snr, places, torch.stack(found).double()).exp().to(x0)

    def bound(
        self, x0: Tensor, t: Tensor, noise: Sequence[Tensor], residuals: Tensor, levels: int | None = 256
    ) -> Tensor:
        """An unbiased estimate of a bound on -log p(x_0), nats (B,), from one step for each example.

        KL(q(x_T | x_0) | N(0, I)) + (T - 1) KL(q(x_{t-1} | x_t, x_0) | p(x_{t-1} | x_t)) - log p(x_0 | x_1), t drawn
        evenly from 2 to T (Ho et al. 2020). The variances of p are those that suit the denoiser best: the process's own
        times 1 + r_t, and m_1 for the last step, where r_t = (SNR_{t-1} - SNR_t) m_t, SNR = ᾱ / (1 - ᾱ) (Bao et al.,
        ICLR 2022); a divergence is then ½ Σ [log(1 + r) + ((SNR_{t-1} - SNR_t) (x_0 - x̂_0)² - r) / (1 + r)].

        Args:
            x0: examples.
            t: a step from 2 to T for each.
            noise: ε of step t, and ε of step 1.
            residuals: m, (T + 1,), see `residuals`.
            levels: into how many levels [-1, 1] is divided, whose probabilities are meant; None for a density.
        """
        snr = (self.alpha_bar / (1 - self.alpha_bar)).to(x0.device)
        fall = (snr[t - 1] - snr[t]).to(x0.dtype)
        squares = (x0 - self._restored(x0, t, noise[0])).square().flatten(1)
        r = fall * residuals[t]
        divergence = 0.5 * (torch.log1p(r) + (fall * squares.mean(dim=1) - r) / (1 + r)) * squares.shape[1]
        mean = self._restored(x0, torch.ones_like(t), noise[1])
        deviation = residuals[1].sqrt()
        log_p = _log_normal(x0 - mean, deviation) if levels is None else _log_level(x0, mean, deviation, levels)
        return self._prior_divergence(x0) + (self.steps - 1) * divergence - log_p.flatten(1).sum(dim=1)

    def _restored(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x̂_0 of the x_t that an example becomes."""
        return self._kept(self.denoised(self.noised(x0, t, noise), t)[0])

    def _kept(self, x0: Tensor) -> Tensor:
        """x̂_0 where examples may lie."""
        return x0.clamp(-1, 1) if self.bounded else x0

    def _prior_divergence(self, x0: Tensor) -> Tensor:
        """KL(N(√ᾱ_T x_0, 1 - ᾱ_T) | N(0, 1)): (B,)."""
        last = self.alpha_bar[-1].item()
        return 0.5 * (last * x0.square() - last - math.log1p(-last)).flatten(1).sum(dim=1)

    def _scales(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """√ᾱ_t and √(1 - ᾱ_t), (B, 1, …)."""
        share = self.alpha_bar.to(t.device)[t].reshape(-1, *[1] * (like.dim() - 1))
        return share.sqrt().to(like.dtype), (1 - share).sqrt().to(like.dtype)


def _log_normal(difference: Tensor, deviation: Tensor) -> Tensor:
    """log N(difference; 0, deviation²)."""
    return -0.5 * (difference / deviation).square() - deviation.log() - 0.5 * math.log(2 * math.pi)


def _log_level(x: Tensor, mean: Tensor, deviation: Tensor, levels: int) -> Tensor:
    """log of the probability of the level around x in [-1, 1], the outer ones open to their side."""
    half = 1 / (levels - 1)
    upper, lower = (x + half - mean) / deviation, (x - half - mean) / deviation
    flipped = (upper + lower) > 0  # differences are taken in the lower tail, where numbers are precise
    high = torch.where(flipped, -lower, upper)
    low = torch.where(flipped, -upper, lower)
    inner = log_ndtr(high) + torch.log(-torch.expm1((log_ndtr(low) - log_ndtr(high)).clamp(max=-1e-6)))
    return torch.where(x < -1 + half, log_ndtr(upper), torch.where(x > 1 - half, log_ndtr(-lower), inner))


def _interpolated(x: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """Values at x and, before them, at -∞: linearly between those at ascending places, beyond these the ends'."""
    after = torch.searchsorted(places, x).clamp(1, len(places) - 1)
    share = ((x - places[after - 1]) / (places[after] - places[after - 1])).clamp(0, 1)
    inner = torch.lerp(values[after - 1], values[after], share)
    return torch.cat([values[:1], inner])
