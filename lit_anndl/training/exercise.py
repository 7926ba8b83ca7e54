"""What every exercise is: a LightningModule that can show what it found."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule
from matplotlib.figure import Figure

History = Mapping[str, Sequence[tuple[int, float]]]
"""For each logged metric its (epoch, value) pairs."""

Table = dict[str, list[Any]]
"""Columns by heading."""


class Exercise(LightningModule):
    """A LightningModule with figures and tables of its tested run, each made when it is asked for."""

    @classmethod
    @abstractmethod
    def metrics(cls) -> tuple[str, ...]:
        """The names of the metrics that a run logs, `val/…` only with validation data."""

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """The names of what `summary` returns."""
        return ()

    def build(self, data: LightningDataModule) -> None:
        """Makes what depends on the data, as the number of networks may; called once, before `check`."""

    def check(self, data: LightningDataModule) -> None:
        """Refuses data that do not fit the model, with InputError."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Notes whose checkpoint it is, and how many processes share its epochs."""
        checkpoint["exercise"] = type(self).__module__.rpartition(".")[2]
        checkpoint["processes"] = self.trainer.world_size

    def summary(self, data: LightningDataModule, history: History) -> dict[str, float]:
        """What can be said of a tested run as a whole, beside its metrics."""
        return {}

    def figures(self, data: LightningDataModule, history: History) -> Iterator[tuple[str, Figure]]:
        """Names and figures."""
        yield from ()

    def tables(self, data: LightningDataModule) -> Iterator[tuple[str, Table]]:
        """Names and tables."""
        yield from ()
