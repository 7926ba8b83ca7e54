"""Exercises that make images from normal latents: how they are sampled, and watched while they learn."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from lit_anndl.data.mnist import MNISTData
from lit_anndl.exercises.generative.latent_snapshots import LatentSnapshots
from lit_anndl.modules.examined import examined_once
from lit_anndl.modules.exercise import Exercise
from lit_anndl.quality import sample_distance, sample_quality
from lit_anndl.quality.classifier_table import classifier_table
from lit_anndl.quality.findings import Findings
from lit_anndl.quality.latent_prior import Decoder, Prior, draw_images
from lit_anndl.quality.sample_distance import SampleDistance
from lit_anndl.runtime.errors import InputError


class LatentModel(Exercise[MNISTData]):
    """A decoder of latents z ~ N(0, 1).

    After each epoch `val/fid` is measured, see `sample_distance`, and every few epochs one fixed set of latents is
    drawn, see `latent_snapshots`, by the weights that are trained, also where their average is what is tested. What is
    found of samples and latent space at the end is in `findings`, see `latent_prior`.

    Args:
        latent: values of z.
        snapshot_epochs: every how many epochs the fixed latents are drawn; 0 for never.
        fid_samples: how many `val/fid` is measured by.
        quality_samples: how many are compared with test images at the end; 0 for none.

    Raises:
        InputError: too few samples to have a covariance, or neighbours.
    """

    def __init__(self, latent: int, snapshot_epochs: int, fid_samples: int, quality_samples: int) -> None:
        super().__init__()
        if fid_samples < 2:
            raise InputError(f"model.fid_samples {fid_samples} was given, expected 2 or more")
        self.latent, self.fid_samples, self.quality_samples = latent, fid_samples, quality_samples
        self.snapshots = LatentSnapshots(snapshot_epochs, latent)

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Images in [0, 1] from latents, of any precision: (B, latent) → (B, 1, 28, 28)."""

    @abstractmethod
    def precise_decoder(self) -> Decoder:
        """`decode` in double precision, of the weights as they are."""

    def forward(self, latents: Tensor) -> Tensor:
        """Images from latents."""
        return self.decode(latents)

    @torch.no_grad()
    def sample(self, number: int, generator: torch.Generator) -> Tensor:
        """Images in [0, 1] (number, 1, 28, 28)."""
        return draw_images(self.decode, number, self.latent, generator)

    def build(self, data: MNISTData) -> None:
        """Takes the seed over."""
        self.seed = data.seed

    def check(self, data: MNISTData) -> None:
        """Refuses a batch larger than the data, and a single validation image, which has no covariance."""
        sample_quality.check(self.quality_samples, data)
        data.refuse_larger_batches()
        sample_distance.check(data)

    def on_fit_start(self) -> None:
        """Prepares the distance that is measured in validation."""
        data: MNISTData = self.trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it in fit
        self._distance = SampleDistance(data, self.fid_samples, self.device)

    def on_validation_epoch_end(self) -> None:
        """Measures the distance between samples and validation images."""
        self.log("val/fid", self._distance.measure(self.sample))

    def on_train_epoch_end(self) -> None:
        """Draws the fixed latents, if it is time."""
        super().on_train_epoch_end()
        self.eval()
        self.snapshots.take(self.current_epoch + 1, self.decode, self.seed)
        self.train()

    @examined_once
    def findings(self, data: MNISTData) -> Findings:
        """What is found of samples and latent space of a tested run."""
        prior = Prior(self.decode, self.precise_decoder(), self.latent)
        found = prior.examine(data, self.quality_samples, self.device)
        judge = {"classifier": classifier_table()} if data.has_validation else {}  # of val/fid
        return found.joined(Findings(tables=judge))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the snapshots."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["snapshots"] = self.snapshots.taken

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes them back."""
        super().on_load_checkpoint(checkpoint)
        self.snapshots.taken = list(checkpoint["snapshots"])
