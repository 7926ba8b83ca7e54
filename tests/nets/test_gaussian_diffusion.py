import math

import pytest
import torch
from torch import Tensor, nn

from lit_anndl.nets.gaussian_diffusion import GaussianDiffusion, Prediction, _log_level, cosine_schedule
from lit_anndl.nets.unet import UNet

DEVIATION = 0.5
"""Of the data of the exact denoiser."""


class Exact(nn.Module):
    """The best prediction for data x_0 ~ N(0, s²): E[x_0 | x_t] = s² √ᾱ x_t / (s² ᾱ + 1 - ᾱ)."""

    def __init__(self, steps: int, prediction: Prediction) -> None:
        super().__init__()
        self.alpha_bar, self.steps, self.prediction = cosine_schedule(steps), steps, prediction

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        share = self.alpha_bar[(time * self.steps).round().long()].to(x.dtype)[:, None]
        signal, rest = share.sqrt(), (1 - share).sqrt()
        x0 = DEVIATION**2 * signal * x / (DEVIATION**2 * share + 1 - share)
        noise = (x - signal * x0) / rest
        return noise if self.prediction == "noise" else signal * noise - rest * x0


def exact(steps: int, prediction: Prediction = "noise") -> GaussianDiffusion:
    return GaussianDiffusion(Exact(steps, prediction), steps, prediction, bounded=False)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_schedule_falls_from_the_example_to_noise() -> None:
    schedule = cosine_schedule(1000)
    assert schedule[0] == 1
    assert (schedule.diff() < 0).all()
    assert 0 < schedule[-1] < 1e-4


def test_marginals_of_the_forward_process_are_those_of_its_steps() -> None:
    """x_t by one leap has the mean and variance of x_t by single steps √(1 - β) x + √β ε."""
    schedule = cosine_schedule(50)
    diffusion = exact(50)
    mean, variance = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for t in range(1, 51):
        kept = schedule[t] / schedule[t - 1]
        mean, variance = kept.sqrt() * mean, kept * variance + 1 - kept
        one, time = torch.ones(1, 1, dtype=torch.float64), torch.tensor([t])
        torch.testing.assert_close(diffusion.noised(one, time, 0 * one)[0, 0], mean)
        torch.testing.assert_close(diffusion.noised(0 * one, time, one)[0, 0] ** 2, variance)


@pytest.mark.parametrize("prediction", ["noise", "velocity"])
def test_what_is_predicted_gives_example_and_noise_back(prediction: Prediction) -> None:
    diffusion = exact(100, prediction)
    x, t = normal(20, 3), torch.arange(1, 100, 5)
    x0, noise = diffusion.denoised(x, t)
    torch.testing.assert_close(diffusion.noised(x0, t, noise), x)
    torch.testing.assert_close(x0, exact(100, "noise").denoised(x, t)[0])


@pytest.mark.parametrize(("number", "eta"), [(1000, 1.0), (1000, 0.0), (100, 0.0)])
def test_samples_of_the_exact_denoiser_have_the_data_s_spread(number: int, eta: float) -> None:
    generator = torch.Generator().manual_seed(1)
    samples = exact(1000).sample(normal(4000, 1), number, eta, generator)
    assert float(samples.std()) == pytest.approx(DEVIATION, rel=0.05)
    assert float(samples.mean()) == pytest.approx(0, abs=0.03)


def test_samples_of_bounded_data_stay_where_these_lie() -> None:
    samples = GaussianDiffusion(Exact(1000, "noise"), 1000, "noise").sample(normal(4000, 1), 100)
    assert float(samples.abs().max()) <= 1
    assert float(samples.abs().quantile(0.6827)) == pytest.approx(DEVIATION, rel=0.05)


def test_noise_on_the_way_has_to_be_given() -> None:
    with pytest.raises(ValueError, match="no noise was given, expected some for eta 1"):
        exact(4).move(normal(2, 1), 2, 1, eta=1.0)


def test_encoding_is_undone_by_sampling() -> None:
    diffusion = exact(1000, "velocity")
    x = normal(200, 1).clamp(-1.5, 1.5) * DEVIATION
    latents = diffusion.encode(x, 500)
    assert float(latents.std()) == pytest.approx(float(x.std()) / DEVIATION, rel=0.05)
    torch.testing.assert_close(diffusion.sample(latents, 500), x, atol=0.02, rtol=0.02)


def uncertainty(steps: int) -> Tensor:
    """Var[x_0 | x_t] = s² (1 - ᾱ) / (s² ᾱ + 1 - ᾱ)."""
    share = cosine_schedule(steps)
    return DEVIATION**2 * (1 - share) / (DEVIATION**2 * share + 1 - share)


def test_residuals_of_the_exact_denoiser_are_its_uncertainty() -> None:
    diffusion = exact(1000)
    found = diffusion.residuals(DEVIATION * normal(20_000, 1), 40, torch.Generator().manual_seed(0))
    assert len(found) == 1001
    torch.testing.assert_close(found[1:], uncertainty(1000)[1:], rtol=0.1, atol=0)


@pytest.mark.parametrize("steps", [50, 1000])
def test_the_bound_of_the_exact_denoiser_is_the_entropy_of_gaussian_data(steps: int) -> None:
    entropy = 0.5 * math.log(2 * math.pi * math.e * DEVIATION**2)
    number = 100_000
    x0 = DEVIATION * normal(number, 1)
    t = 2 + torch.arange(number) % (steps - 1)
    noise = normal(number, 1, seed=1), normal(number, 1, seed=2)
    bound = exact(steps).bound(x0, t, noise, uncertainty(steps), levels=None)
    error = float(bound.std()) / math.sqrt(number)
    assert error < 0.2
    assert float(bound.mean()) == pytest.approx(entropy, abs=4 * error)
    worse = exact(steps).bound(x0, t, noise, 2 * uncertainty(steps), levels=None)
    assert float(worse.mean()) > float(bound.mean()) + 0.1


class NearlyExact(nn.Module):
    """The noise itself and an error beside it, of images that are known: ±1 by turns."""

    def __init__(self, steps: int, error: float) -> None:
        super().__init__()
        self.alpha_bar, self.steps, self.error = cosine_schedule(steps), steps, error

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        share = self.alpha_bar[(time * self.steps).round().long()].to(x.dtype)[:, None]
        return (x - share.sqrt() * chequered(len(x))) / (1 - share).sqrt() + self.error


def chequered(number: int) -> Tensor:
    return (torch.arange(number * 64, dtype=torch.float64).reshape(number, 64) % 2) * 2 - 1


def test_the_bound_of_bounded_data_does_not_suffer_where_noise_tells_nothing_of_the_example() -> None:
    """At the last step x̂_0 of predicted noise is off by 20 000 times the error: of no image, so that it is not used."""
    t = torch.full((10,), 1000)
    noise = normal(10, 64, seed=1), normal(10, 64, seed=2)
    bounds = []
    for bounded in (True, False):
        diffusion = GaussianDiffusion(NearlyExact(1000, 0.05), 1000, "noise", bounded)
        residuals = diffusion.residuals(chequered(64), 40, torch.Generator().manual_seed(0))
        bounds.append(float(diffusion.bound(chequered(10), t, noise, residuals).mean()))
    within, anywhere = bounds
    assert within < 10 < 1000 < anywhere


def test_probabilities_of_all_levels_add_up_to_one() -> None:
    levels = torch.linspace(-1, 1, 256, dtype=torch.float64)
    for mean in (-1.1, -0.3, 0.999):
        for deviation in (0.002, 0.05, 1.0):
            log_p = _log_level(levels, torch.tensor(mean), torch.tensor(deviation, dtype=torch.float64), 256)
            assert float(log_p.exp().sum()) == pytest.approx(1, abs=1e-4)


def test_the_network_minimises_what_training_does() -> None:
    """The exact prediction has the smallest error of all linear ones."""
    diffusion = exact(100, "velocity")
    x0, noise, t = DEVIATION * normal(5000, 1), normal(5000, 1, seed=1), 1 + torch.arange(5000) % 100
    best = float(diffusion.errors(x0, t, noise).mean())
    predict = diffusion.denoiser.forward
    for factor in (0.9, 1.1):
        diffusion.denoiser.forward = lambda x, time, factor=factor: factor * predict(x, time)  # type: ignore[method-assign]
        assert float(diffusion.errors(x0, t, noise).mean()) > best


def test_a_u_net_keeps_the_shape_and_uses_the_time() -> None:
    torch.manual_seed(0)
    net = UNet((8, 16, 16), features=16)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.1)
    images = torch.randn(3, 1, 28, 28)
    early, late = net(images, torch.zeros(3)), net(images, torch.ones(3))
    assert early.shape == images.shape
    assert not torch.allclose(early, late)
    sizes = [sum(each.numel() for each in UNet((8, 16), middle=blocks).parameters()) for blocks in (1, 2, 3)]
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] > 0
    with pytest.raises(ValueError, match="expected multiples of 8"):
        UNet((8, 12))
