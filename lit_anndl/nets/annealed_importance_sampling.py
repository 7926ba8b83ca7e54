"""Partition functions of restricted Boltzmann machines by annealed importance sampling, both ways.

Neal, Statistics and Computing 11, 2001; for these machines Salakhutdinov & Murray, ICML 2008. Between a machine without
weights, of biases b₀ and a₀ (β = 0), and the one in question (β = 1) lie

    log p*_β(v) = ((1 - β) b₀ + β b)ᵀv + Σ_j log(1 + exp((1 - β) a₀_j + β (a + Wᵀv)_j)),
    Z_0 = Π_i (1 + exp(b₀_i)) Π_j (1 + exp(a₀_j)).

A chain that goes up by Gibbs steps has the weight w = Π_k p*_{β_k}(v_{k-1}) / p*_{β_{k-1}}(v_{k-1}) with
E[w] = Z_1 / Z_0, so that log Z is underestimated on average and the likelihood flattered. One that comes down from
samples of the machine has the weight of the way back, with E[w] = Z_0 / Z_1: log Z is overestimated. The truth lies
between on average (Burda, Grosse & Salakhutdinov, AISTATS 2015), if the samples are the machine's. Z_0 E[w] is the same
from any base, but chains find what is like it, and may miss the rest: published is a base of rates of training images.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from lit_anndl.nets.binary_units import draw, log_odds
from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.contrastive_divergence import run_chains

_RAREST = 1e-4
"""The least rate of a base, for chains to begin at what they have not seen there."""


class Estimate(NamedTuple):
    """log Z, and the standard error of the mean weight of n chains as a share of it: that of log Z to first order.

    Of two chains or more it is 1 at most: where one chain's weight is all of the mean, it is near 1 however far log Z
    is off. Of one chain it is infinite.
    """

    log_z: float
    error: float

    @property
    def margin(self) -> float:
        """log Z ≥ log_z - margin for chains that go up, log Z ≤ log_z + margin for chains that come down.

        -log(1 - 3 error), three standard errors of the mean weight, or log 740 if that is less: by Markov's inequality
        what is positive exceeds 740 times its expectation in one of 740 cases at most, as often as a normal variable
        lies above three standard deviations.

        >>> round(Estimate(0.0, 0.1).margin, 3), round(Estimate(0.0, 0.99).margin, 3)
        (0.357, 6.607)
        """
        return -math.log(max(1 - 3 * self.error, 1 / 740))

    @property
    def least(self) -> float:
        """What log Z is at least, by chains that go up."""
        return self.log_z - self.margin


def schedule(stages: Sequence[tuple[float, int]] = ((0.5, 500), (0.9, 4000), (1.0, 10_000))) -> Tensor:
    """Inverse temperatures from 0 to 1: up to each stage's end in so many equal steps, by default 14 501 of them.

    >>> schedule([(0.5, 1), (1.0, 2)]).tolist()
    [0.0, 0.5, 0.75, 1.0]
    """
    betas, start = [torch.zeros(1, dtype=torch.float64)], 0.0
    for end, steps in stages:
        betas.append(torch.linspace(start, end, steps + 1, dtype=torch.float64)[1:])
        start = end
    return torch.cat(betas)


class Base(NamedTuple):
    """A machine without weights: b₀ (visible,) and a₀ (hidden,)."""

    visible_bias: Tensor
    hidden_bias: Tensor

    @property
    def log_z(self) -> float:
        """log Z_0, exactly."""
        return sum(float(softplus(bias.double()).sum()) for bias in self)


def base_of_images(rbm: RBM, v: Tensor) -> Base:
    """The published one: the pixels' rates are those of images v (n, visible), hidden units are on or off alike."""
    return Base(log_odds(v), torch.zeros_like(rbm.hidden_bias))


@torch.no_grad()
def base_from_noise(rbm: RBM, burn_in: int, chains: int, generator: torch.Generator) -> Base:
    """The mean rates of all units of chains that began at noise, over a tenth as many Gibbs steps more as of burn-in.

    Where the machine has put most of its probability aside from its training images, without their chains coming there,
    these may.
    """
    half = torch.full((chains, len(rbm.visible_bias)), 0.5, device=generator.device)
    v = run_chains(rbm, draw(half, generator).to(rbm.weight), burn_in, generator)
    sums, steps = [torch.zeros_like(rbm.visible_bias), torch.zeros_like(rbm.hidden_bias)], max(1, burn_in // 10)
    for _ in range(steps):
        hidden = rbm.hidden_probability(v)
        visible = rbm.visible_probability(draw(hidden, generator))
        v = draw(visible, generator)
        sums = [total + means.mean(dim=0) for total, means in zip(sums, (visible, hidden), strict=True)]
    return Base(*((total / steps).clamp(_RAREST, 1 - _RAREST).logit() for total in sums))


@torch.no_grad()
def annealed(rbm: RBM, base: Base, betas: Tensor, chains: int, generator: torch.Generator) -> Estimate:
    """log Z by chains that go up from a base."""
    v = draw(base.visible_bias.sigmoid().expand(chains, -1), generator)
    mean, error = _log_mean(_anneal(rbm, base, betas, v, generator))
    return Estimate(base.log_z + mean, error)


@torch.no_grad()
def annealed_back(rbm: RBM, base: Base, betas: Tensor, samples: Tensor, generator: torch.Generator) -> Estimate:
    """log Z by chains that come down to a base from samples (chains, visible) of the machine, as good as these are."""
    v, _ = rbm.gibbs_step(samples, generator)
    mean, error = _log_mean(_anneal(rbm, base, betas.flip(0), v, generator))
    return Estimate(base.log_z - mean, error)


def _anneal(rbm: RBM, base: Base, betas: Tensor, v: Tensor, generator: torch.Generator) -> Tensor:
    """The logarithms of the weights of chains that follow the temperatures: (chains,)."""
    temperatures = betas.tolist()
    log_w = torch.zeros(len(v), dtype=torch.float64, device=v.device)
    difference = rbm.visible_bias - base.visible_bias
    for number, (before, beta) in enumerate(pairwise(temperatures), start=1):
        inputs = rbm.hidden_input(v)
        at_beta = torch.lerp(base.hidden_bias, inputs, beta)
        ratio = softplus(at_beta).sum(dim=1) - softplus(torch.lerp(base.hidden_bias, inputs, before)).sum(dim=1)
        log_w += ratio + (beta - before) * (v @ difference)
        if number < len(temperatures) - 1:
            h = draw(at_beta.sigmoid_(), generator)
            means = torch.lerp(base.visible_bias, rbm.visible_input(h), beta).sigmoid_()
            v = draw(means, generator)
    return log_w


def _log_mean(log_w: Tensor) -> tuple[float, float]:
    """log of the mean weight, and its standard error to first order: that of w / mean w."""
    log_mean = float(log_w.logsumexp(dim=0)) - math.log(len(log_w))
    relative = (log_w - log_mean).exp()
    return log_mean, float(relative.std() / math.sqrt(len(log_w))) if len(log_w) > 1 else math.inf
