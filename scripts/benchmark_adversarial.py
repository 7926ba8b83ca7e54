"""A part of benchmark.py on adversarial networks: gan beside a lean loop over the same nets."""

from pathlib import Path

import torch
from contenders import ALL_THREADS, ours, timed
from side_by_side import print_heading, print_row
from torch import Tensor
from torch.optim import Adam

from lit_anndl.data.mnist import MNISTData
from lit_anndl.nets.adversarial_losses import cross_entropy, non_saturating
from lit_anndl.nets.adversarial_nets import fully_connected_discriminator, fully_connected_generator

_LATENT, _BATCH, _IMAGES = 20, 512, 30_000
_STEP = {"lr": 0.001, "betas": (0.5, 0.999), "fused": True}


def gan(rounds: int, _: Path) -> None:
    """An epoch of 59 batches of 512, both nets one step per batch, without validation."""
    names = ("ours", "lean")
    print_heading("gan, ms/epoch", names)
    data = MNISTData(train_size=_IMAGES, validation_fraction=0.0, seed=0)
    data.setup("fit")
    settings = ["--data.train_size", str(_IMAGES), "--data.validation_fraction", "0", "--data.batch_size", str(_BATCH)]
    settings += ["--checkpoint.monitor", "train/generator_loss"]
    threads = sorted({1, ALL_THREADS})
    measured = []
    for _ in range(rounds):
        lean = _Lean(data.train[0])
        measured.append({"ours": ours("gan", 1, *settings), "lean": min(timed(lean.epoch, 1, n) for n in threads)})
    print_row("one epoch", names, measured)


class _Lean:
    """The loop that one would write by hand."""

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self.generator, self.discriminator = fully_connected_generator(_LATENT), fully_connected_discriminator()
        self.optimizers = [Adam(net.parameters(), **_STEP) for net in (self.discriminator, self.generator)]

    def epoch(self) -> float:
        """An epoch; the mean of the generator's loss."""
        batches = torch.randperm(len(self.images)).split(_BATCH)
        return torch.stack([self._step(self.images[indices]) for indices in batches]).mean().item()

    def _step(self, images: Tensor) -> Tensor:
        """A step of each net."""
        fake = self.generator(torch.randn(len(images), _LATENT))
        loss = cross_entropy(self.discriminator(2 * images - 1), self.discriminator(fake.detach()))
        self.optimizers[0].zero_grad()
        loss.backward()
        self.optimizers[0].step()
        loss = non_saturating(self.discriminator(fake))
        self.optimizers[1].zero_grad()
        loss.backward()
        self.optimizers[1].step()
        return loss.detach()
