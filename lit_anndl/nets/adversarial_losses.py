"""What a generator and a discriminator of generative adversarial networks minimise."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.nn.utils import get_total_norm

AdversarialLossName = Literal["non_saturating", "minimax", "wasserstein"]


class AdversarialLoss(NamedTuple):
    """The two sides of a game between scores of real and of generated examples, all of shape (B,).

    Args:
        discriminator: from the scores of real and of generated examples to what the discriminator minimises.
        generator: from the scores of generated examples to what the generator minimises.
        threshold: from both scores to that above which an example is taken for real.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    threshold: Callable[[Tensor, Tensor], Tensor]


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """½ (-E log D(x) - E log(1 - D(G(z)))), with D the sigmoid of the scores; log 2 where D cannot tell at all.

    The D that minimises it is p / (p + q) for densities p of the data and q of the generator, and log 2 less the
    minimum is their Jensen-Shannon divergence (Goodfellow et al., NeurIPS 2014).
    """
    return (softplus(-real).mean() + softplus(fake).mean()) / 2


def minimax(fake: Tensor) -> Tensor:
    """E log(1 - D(G(z))): the game of zero sum. Its gradient vanishes as D(G(z)) does, by the factor D(G(z))."""
    return -softplus(fake).mean()


def non_saturating(fake: Tensor) -> Tensor:
    """-E log D(G(z)): it has the same fixed point, and its gradient is largest where D is sure."""
    return softplus(-fake).mean()


def critic(real: Tensor, fake: Tensor) -> Tensor:
    """E f(G(z)) - E f(x): for the best f of slope 1 at most it is the negative Wasserstein distance.

    Arjovsky, Chintala & Bottou, ICML 2017. What keeps the slope is `clip_weights`, or `gradient_penalty`.
    """
    return fake.mean() - real.mean()


def _negative_mean(fake: Tensor) -> Tensor:
    """-E f(G(z))."""
    return -fake.mean()


def _zero(real: Tensor, fake: Tensor) -> Tensor:
    """Where the sigmoid is ½."""
    return real.new_zeros(())


def _midpoint(real: Tensor, fake: Tensor) -> Tensor:
    """Half-way between the means: a critic is known up to a constant only."""
    return (real.mean() + fake.mean()) / 2


ADVERSARIAL_LOSSES: dict[AdversarialLossName, AdversarialLoss] = {
    "non_saturating": AdversarialLoss(cross_entropy, non_saturating, _zero),
    "minimax": AdversarialLoss(cross_entropy, minimax, _zero),
    "wasserstein": AdversarialLoss(critic, _negative_mean, _midpoint),
}


def gradient_penalty(discriminator: nn.Module, real: Tensor, fake: Tensor, shares: Tensor) -> Tensor:
    """E (‖∇f(x̂)‖₂ - 1)², at points x̂ = ε x + (1 - ε) G(z) between real and generated examples, differentiable.

    Gulrajani et al., NeurIPS 2017. What f makes of an example must not depend on the others: batch normalization does.

    Args:
        discriminator: f, (B, …) → (B,).
        real: x (B, …).
        fake: G(z) (B, …).
        shares: ε (B,), uniform in [0, 1].
    """
    share = shares.reshape(-1, *[1] * (real.dim() - 1))
    between = torch.lerp(fake.to(real), real, share).detach().requires_grad_()
    (slopes,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    norms: Tensor = slopes.flatten(1).norm(dim=1)
    return (norms - 1).square().mean()


@torch.no_grad()
def clip_weights(net: nn.Module, bound: float) -> None:
    """Brings all parameters of a critic into [-bound, bound], so that its slope is bounded, too."""
    for parameter in net.parameters():
        parameter.clamp_(-bound, bound)


def gradient_norm(loss: Tensor, net: nn.Module) -> Tensor:
    """‖∇L‖₂ by all parameters of a net, whose `grad` stays as it is; the loss can be differentiated again."""
    return get_total_norm(torch.autograd.grad(loss, list(net.parameters()), retain_graph=True))
