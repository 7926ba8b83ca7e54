"""Images of one fixed set of latents, over training."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lit_anndl.data.streams import stream
from lit_anndl.plots.images import image_rows
from lit_anndl.quality.latent_prior import Decoder

_COLUMNS = 12
_ROWS = 10


class LatentSnapshots:
    """What a decoder makes of the same latents, normal ones, after the first epoch and every few.

    Args:
        epochs: every how many; 0 for never.
        latent: values of each latent.

    Attributes:
        taken: epochs, counted from 1, and images (12, 28, 28) of 256 grey levels.
    """

    def __init__(self, epochs: int, latent: int) -> None:
        self.epochs, self.latent = epochs, latent
        self.taken: list[tuple[int, Tensor]] = []

    def take(self, epoch: int, decode: Decoder, seed: int) -> None:
        """Takes one after an epoch, counted from 1, if it is time."""
        if self.epochs and (epoch == 1 or epoch % self.epochs == 0):
            fixed = torch.randn(_COLUMNS, self.latent, generator=stream(seed, "fixed latents"))
            images = decode(fixed).float().cpu().squeeze(1)
            self.taken.append((epoch, images.mul(255).round().byte()))

    def figure(self) -> Figure:
        """A row for each of some epochs, evenly chosen, the first and the last among them."""
        chosen: Sequence[int] = np.unique(np.linspace(0, len(self.taken) - 1, _ROWS).round().astype(int)).tolist()
        rows = {f"epoch {self.taken[each][0]}": self.taken[each][1].float().div(255).numpy() for each in chosen}
        return image_rows(rows, "the same latents over training")
