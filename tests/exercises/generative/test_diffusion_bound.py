"""The bound on what a diffusion makes images, and what is said of its uncertainty."""

import math
from statistics import mean, stdev

import torch
from torch import Tensor, nn

from lit_anndl.exercises.generative.diffusion_bound import StratifiedBound
from lit_anndl.nets.gaussian_diffusion import GaussianDiffusion, cosine_schedule

STEPS, IMAGES = 100, 200


class Linear(nn.Module):
    """The noise, as if all pixels were independent and normal, of a variance of 1/3."""

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        share = cosine_schedule(STEPS)[(time * STEPS).round().long()].to(x)[:, None, None, None]
        return (1 - share).sqrt() / (share / 3 + 1 - share) * x


def images(seed: int) -> Tensor:
    """Grey levels in [-1, 1], of images that are lighter or darker: (200, 1, 4, 4)."""
    generator = torch.Generator().manual_seed(seed)
    contrast = torch.rand(IMAGES, 1, 1, 1, generator=generator)
    return (torch.rand(IMAGES, 1, 4, 4, generator=generator) * 2 - 1).mul(127.5 * contrast).round() / 127.5


def bound(seed: int) -> StratifiedBound:
    return StratifiedBound(GaussianDiffusion(Linear(), STEPS, "noise"), images(-1), seed, "test")


def test_the_error_is_how_far_repeated_estimates_are_apart() -> None:
    """It does not contain what the steps differ by, which is most of what single images differ by."""
    means, errors, of_independent = [], [], []
    for seed in range(60):
        estimate = bound(seed)
        bits = torch.cat([estimate.measure(part)[1] for part in images(seed).split(IMAGES // 2)])
        means.append(float(bits.mean()))
        errors.append(estimate.error())
        of_independent.append(float(bits.std()) / math.sqrt(IMAGES))
    apart = stdev(means)
    assert 0.8 * apart < mean(errors) < 1.6 * apart < mean(of_independent)


def test_the_same_seed_draws_the_same_steps_and_noise() -> None:
    one, other, third = (bound(seed).measure(images(0))[1] for seed in (0, 0, 1))
    assert torch.equal(one, other)
    assert not torch.equal(one, third)


def test_of_one_image_at_a_time_nothing_is_said_of_the_error() -> None:
    estimate = bound(0)
    for image in images(0)[:3].split(1):
        estimate.measure(image)
    assert estimate.error() is None
