"""Bounds on the log-likelihood of a variational autoencoder by importance-weighted samples.

With z_1, …, z_k ~ q(z | x) and w_i = p(x, z_i) / q(z_i | x)

    L_k(x) = E log (1/k) Σ_i w_i ≤ log p(x):

L_1 is the ELBO, L_k grows with k and tends to log p(x) (Burda, Grosse & Salakhutdinov, ICLR 2016).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lit_anndl.nets.variational import VAE


class Terms(NamedTuple):
    """What a bound is made of, in nats per image."""

    reconstruction: Tensor
    """-log p(x | z_i): (samples, B)."""
    log_ratio: Tensor
    """log p(z_i) - log q(z_i | x): (samples, B)."""
    kl: Tensor
    """KL(q(z | x) ‖ p(z)): (B,)."""

    def elbo_loss(self, kl_weight: float = 1.0) -> Tensor:
        """-E log p(x | z) + β KL, the divergence exact, the expectation a mean over the samples: (B,)."""
        return self.reconstruction.mean(dim=0) + kl_weight * self.kl

    def importance_loss(self, kl_weight: float = 1.0) -> Tensor:
        """-log (1/k) Σ_i p(x | z_i) (p(z_i) / q(z_i | x))^β, which is -L_k for β = 1: (B,)."""
        return -log_mean_exp(kl_weight * self.log_ratio - self.reconstruction)


def terms(net: VAE, x: Tensor, samples: int = 1, generator: torch.Generator | None = None) -> Terms:
    """All terms of x (B, inputs), by so many samples of each q(z | x), decoded side by side."""
    posterior = net.encode(x)
    z, noise = posterior.sample(samples, generator)
    reconstruction = -net.likelihood.log_prob(net.decode(z), x)
    return Terms(reconstruction, posterior.log_ratio(z, noise), posterior.kl_divergence())


def log_mean_exp(log_w: Tensor) -> Tensor:
    """log (1/k) Σ_i exp(log w_i) over the first dimension, k.

    >>> log_mean_exp(torch.tensor([1000.0, 1000.0])).item()
    1000.0
    """
    return log_w.logsumexp(dim=0) - math.log(len(log_w))


@torch.no_grad()
def importance_bound(net: VAE, x: Tensor, samples: int, generator: torch.Generator, at_once: int = 1000) -> Tensor:
    """L_k of each row of x (B, inputs), an estimate by one draw of k = `samples`, in double precision: (B,).

    Args:
        net: the model.
        x: images.
        samples: k.
        generator: of the samples.
        at_once: codes that are decoded at a time, which bounds the memory; fewer where the likelihood is wide.
    """
    posterior = net.encode(x)
    total = torch.full((len(x),), -math.inf, dtype=torch.float64, device=x.device)
    each = max(1, at_once // (len(x) * net.likelihood.width))
    for first in range(0, samples, each):
        z, noise = posterior.sample(min(each, samples - first), generator)
        log_w = net.likelihood.log_prob(net.decode(z), x) + posterior.log_ratio(z, noise)
        total = torch.logaddexp(total, log_w.double().logsumexp(dim=0))
    return total - math.log(samples)
