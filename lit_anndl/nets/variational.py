"""Variational autoencoders with a Gaussian code.

Kingma & Welling, ICLR 2014; Rezende, Mohamed & Wierstra, ICML 2014.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lit_anndl.nets.likelihoods import ValueLikelihood
from lit_anndl.nets.mlp import MLP, Activation


class Posterior(NamedTuple):
    """q(z | x) = N(μ, diag σ²): mean and log-variance, (B, latent) each."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, samples: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """z = μ + σ ε, and ε, standard normal, from torch's own generator unless given: (samples, B, latent) each."""
        shape = (samples, *self.mean.shape)
        noise = torch.randn(shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return torch.addcmul(self.mean, (0.5 * self.log_variance).exp(), noise), noise

    def kl_divergence(self) -> Tensor:
        """KL(q(z | x) ‖ N(0, I)) = ½ Σ_j μ_j² + σ_j² - 1 - log σ_j², in nats: (B,)."""
        return self.kl_by_unit().sum(dim=-1)

    def kl_by_unit(self) -> Tensor:
        """Its terms, one for each latent dimension j: (B, latent)."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance)

    def log_ratio(self, z: Tensor, noise: Tensor) -> Tensor:
        """log p(z) - log q(z | x) = ½ Σ_j ε_j² + log σ_j² - z_j², of what `sample` gives: (samples, B)."""
        return 0.5 * (noise.square() + self.log_variance - z.square()).sum(dim=-1)


class VAE(nn.Module):
    """p(x, z) = N(z; 0, I) p(x | g(z)) with q(z | x) = N(μ(x), diag σ²(x)): g, μ and log σ² are multilayer perceptrons.

    The encoder has units `inputs`, `hidden`, …, 2 `latent` (μ, then log σ²), the decoder `latent`, the same in reverse,
    …, and the likelihood's outputs.

    Args:
        inputs: number of values.
        latent: dimensions of z.
        hidden: units per hidden layer of the encoder; the decoder mirrors them.
        likelihood: p(x | outputs).
        activation: what hidden units apply.

    Shapes: x (B, inputs) → q(z | x) of (B, latent); z (…, latent) → outputs (…, inputs · outputs_per_value).

    Raises:
        ValueError: no latent dimension.

    >>> from lit_anndl.nets.likelihoods import Bernoulli
    >>> sum(p.numel() for p in VAE(784, 50, [200, 200], Bernoulli(), "tanh").parameters())
    425284
    """

    def __init__(
        self,
        inputs: int,
        latent: int,
        hidden: Sequence[int],
        likelihood: ValueLikelihood,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        if latent < 1:
            raise ValueError(f"{latent} latent dimensions were given, expected one or more")
        self.latent = latent
        self.likelihood = likelihood
        self.encoder = MLP((inputs, *hidden, 2 * latent), activation)
        self.decoder = MLP((latent, *reversed(hidden), inputs * likelihood.outputs_per_value), activation)

    @torch.no_grad()
    def start_from_means(self, x: Tensor) -> None:
        """Sets the decoder's last biases so that the first images are the mean of x (n, inputs), if not categorical."""
        last = self.decoder[-1]
        assert isinstance(last, nn.Linear)
        last.bias.copy_(self.likelihood.initial_bias(x))

    def encode(self, x: Tensor) -> Posterior:
        """q(z | x), of single precision at least: its divergence is a small difference."""
        parameters = self.encoder(x)
        precision = torch.promote_types(parameters.dtype, torch.float32)
        return Posterior(*parameters.to(precision).chunk(2, dim=-1))

    def decode(self, z: Tensor) -> Tensor:
        """g(z), the likelihood's outputs."""
        outputs: Tensor = self.decoder(z.to(next(self.decoder.parameters())))
        return outputs

    def forward(self, x: Tensor) -> Tensor:
        """E[x | z = μ(x)], in [0, 1]."""
        return self.likelihood.mean(self.decode(self.encode(x).mean))
