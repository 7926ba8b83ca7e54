"""A generator and a discriminator, with what each makes of the other."""

import torch
from torch import Tensor, nn

from lit_anndl.nets.adversarial_losses import ADVERSARIAL_LOSSES, AdversarialLossName, gradient_penalty

ACCURACIES = ("discriminator_accuracy_real", "discriminator_accuracy_fake")


class AdversarialGame(nn.Module):
    """G(z) against D(x), by one of `ADVERSARIAL_LOSSES`.

    Args:
        generator: G, (B, latent) → (B, …).
        discriminator: D, (B, …) → scores (B,).
        loss: the name of both sides' losses.
        penalty: weight of the gradient penalty in the discriminator's loss; 0 for none.

    Shapes: latents (B, latent) → examples (B, …).
    """

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, loss: AdversarialLossName, penalty: float = 0.0
    ) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.loss, self.penalty = ADVERSARIAL_LOSSES[loss], penalty

    def forward(self, latents: Tensor) -> Tensor:
        """G(z)."""
        examples: Tensor = self.generator(latents)
        return examples

    def judge(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """`discriminator_loss`, `generator_loss`, and the shares of real and of fake examples taken for what they are.

        They are scored apart, so that batch normalization standardises each kind by its own statistics.
        """
        scores = self.discriminator(real), self.discriminator(fake)
        threshold = self.loss.threshold(*scores)
        shares = (scores[0] > threshold).float().mean(), (scores[1] < threshold).float().mean()
        return {
            "discriminator_loss": self.loss.discriminator(*scores),
            "generator_loss": self.loss.generator(scores[1]),
            **dict(zip(ACCURACIES, shares, strict=True)),
        }

    def slope_penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """The gradient penalty, at random points between the examples, drawn from torch's own generator."""
        shares = torch.rand(len(real), device=real.device, dtype=real.dtype)
        return gradient_penalty(self.discriminator, real, fake, shares)

    def generator_loss(self, fake: Tensor) -> Tensor:
        """What the generator minimises."""
        return self.loss.generator(self.discriminator(fake))
