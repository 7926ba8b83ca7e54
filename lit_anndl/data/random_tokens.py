"""Random sequences of tokens."""

import torch
from jsonargparse.typing import NonNegativeInt, PositiveInt

from lit_anndl.data.batches import Items
from lit_anndl.data.data_module import DataModule


class RandomTokens(DataModule):
    """Sequences of standard normal tokens: X (B, N, d).

    Args:
        sequences: B.
        tokens: N.
        dim: d.
        seed: of the numbers, null for the run's seed.
    """

    def __init__(
        self,
        sequences: PositiveInt = 4,
        tokens: PositiveInt = 16,
        dim: PositiveInt = 32,
        seed: NonNegativeInt | None = None,
    ) -> None:
        super().__init__(seed)
        self.shape = (sequences, tokens, dim)

    def setup(self, stage: str) -> None:
        """Draws the numbers."""
        self.inputs = torch.randn(self.shape, generator=self.stream("tokens"), dtype=torch.float64)

    def train_dataloader(self) -> Items:
        """One step."""
        return Items([[(self.inputs,)]])

    def test_dataloader(self) -> Items:
        """The same sequences."""
        return Items([(self.inputs,)])
