"""How the generator's gradient vanishes as a discriminator is trained ahead of it."""

import torch
from torch import Tensor

from lit_anndl.nets.adversarial_game import AdversarialGame
from lit_anndl.nets.adversarial_losses import ADVERSARIAL_LOSSES, AdversarialLossName, gradient_norm
from lit_anndl.runtime.records import Table

_OF_SCORES: tuple[AdversarialLossName, ...] = ("minimax", "non_saturating")


class VanishingGradient:
    """‖∇L_G‖₂ by the parameters of a generator that waits, after 0, 1, 2, 5, 10, … steps of the discriminator.

    Both losses of a discriminator are measured side by side, whichever is trained by, and of a critic its own: the
    figure of Arjovsky & Bottou (ICLR 2017). Of the last of these steps are `head_start/gradient_minimax`,
    `head_start/gradient_non_saturating` or `head_start/gradient_wasserstein`.

    Args:
        loss: that is trained by.
        steps: of the discriminator's head start; 0 for none, and nothing to measure.

    Attributes:
        norms: by the number of steps, a norm for each of `losses`.
    """

    SUMMARIES = tuple(f"head_start/gradient_{loss}" for loss in ADVERSARIAL_LOSSES)

    def __init__(self, loss: AdversarialLossName, steps: int) -> None:
        self.losses = _OF_SCORES if loss in _OF_SCORES else (loss,)
        self.steps = steps
        self.norms: dict[int, list[float]] = {}

    def is_due(self, step: int) -> bool:
        """Whether something is measured after so many steps.

        >>> [step for step in range(300) if VanishingGradient("minimax", 250).is_due(step)]
        [0, 1, 2, 5, 10, 20, 50, 100, 200, 250]
        """
        digits = str(step)
        is_round = digits.rstrip("0") in ("", "1", "2", "5")
        return 0 < self.steps >= step and (is_round or step == self.steps)

    def measure(self, step: int, fake: Tensor, game: AdversarialGame) -> None:
        """Measures, if it is time, on images that the generator has made."""
        if self.is_due(step):
            before = {name: buffer.clone() for name, buffer in game.discriminator.named_buffers()}
            with torch.random.fork_rng():  # what is measured changes nothing: neither dropout nor running statistics
                scores = game.discriminator(fake)
            losses = [ADVERSARIAL_LOSSES[loss].generator(scores) for loss in self.losses]
            self.norms[step] = [float(gradient_norm(loss, game.generator)) for loss in losses]
            game.discriminator.load_state_dict(before, strict=False)

    def summary(self) -> dict[str, float]:
        """The norms after the last steps of the head start, if it is over."""
        last = self.norms.get(self.steps, [])
        return {f"head_start/gradient_{loss}": norm for loss, norm in zip(self.losses, last, strict=False)}

    def tables(self) -> dict[str, Table]:
        """The norms by the number of steps, if there is a head start."""
        if not self.norms:
            return {}
        columns = [list(column) for column in zip(*self.norms.values(), strict=True)]
        norms = {"discriminator steps": list(self.norms), **dict(zip(self.losses, columns, strict=True))}
        return {"vanishing_gradient": norms}
