"""What all data modules have: a seed of their own or the run's, and examples for validation or none."""

from typing import Any

import torch
from lightning.pytorch import LightningDataModule

from lit_anndl.data.streams import stream


class DataModule(LightningDataModule):
    """A LightningDataModule whose draws are a function of a seed.

    `run_seed` is what torch was seeded with when this was made, the same for all processes of a run.

    Args:
        seed: of whatever the data set draws, None for the run's own seed.
    """

    validation: tuple[Any, ...] = ()
    """Examples that are held out for validation; empty if none are."""
    epochs_before = 0
    """Epochs on other examples, before those that the run is about; their metrics are not compared with later ones."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__()
        self.run_seed = torch.initial_seed()
        self.given_seed = seed

    @property
    def seed(self) -> int:
        """The seed for drawing data: given, or else the one that the run was seeded with."""
        return self.run_seed if self.given_seed is None else self.given_seed

    def stream(self, purpose: str) -> torch.Generator:
        """The generator of one kind of draws: independent of the others', and of the initial weights."""
        return stream(self.seed, purpose)

    @property
    def has_validation(self) -> bool:
        """Whether examples are held out for validation; known after `setup`."""
        return bool(self.validation)
