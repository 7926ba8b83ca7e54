"""Sets of random patterns, to find out how many a memory holds."""

import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from lit_anndl.data.batches import Items
from lit_anndl.data.data_module import DataModule
from lit_anndl.runtime.errors import InputError


class RandomPatternData(DataModule):
    """Independent patterns of random ±1, in sets of K = load × N; the starts are copies with some units flipped.

    Args:
        units: N.
        loads: patterns per unit, K/N.
        flipped: shares of the units that are flipped in the starts.
        sets: how many sets there are of each load.
        seed: of the patterns, null for the run's seed.

    Raises:
        InputError: a load that makes fewer than two patterns; no load, or no share.
    """

    def __init__(
        self,
        units: PositiveInt = 100,
        loads: list[PositiveFloat] = [0.05, 0.1, 0.2],  # noqa: B006  # jsonargparse shows it
        flipped: list[ClosedUnitInterval] = [0.0],  # noqa: B006  # likewise
        sets: PositiveInt = 50,
        seed: NonNegativeInt | None = None,
    ) -> None:
        super().__init__(seed)
        for key, given in (("loads", loads), ("flipped", flipped)):
            if not given:
                raise InputError(f"data.{key}: [] was given, expected one or more")
        if units < 2:
            raise InputError(f"data.units {units} was given, expected 2 or more")
        if (least := min(loads)) * units < 1.5:
            raise InputError(f"data.loads: {least:g} of {units} units make fewer than two patterns")
        self.units = units
        self.loads = sorted(loads)
        self.flipped = flipped
        self.sets = sets

    def setup(self, stage: str) -> None:
        """Draws the patterns: for each load a tensor (sets, K, N), and the same with flipped units for each share."""
        if hasattr(self, "patterns"):
            return
        generator = self.stream("patterns")
        shapes = [(self.sets, round(load * self.units), self.units) for load in self.loads]
        self.patterns = [2.0 * torch.randint(2, shape, generator=generator) - 1 for shape in shapes]
        self.starts = [
            {share: flip(patterns, share, generator) for share in self.flipped} for patterns in self.patterns
        ]

    def train_dataloader(self) -> Items:
        """One step, the storing of all sets: a single batch, for each load its patterns (sets, K, N)."""
        return Items([[tuple(self.patterns)]])

    def test_dataloader(self) -> Items:
        """For each load its patterns (sets, K, N), and the starts by share of flipped units."""
        return Items(list(zip(self.loads, self.patterns, self.starts, strict=True)))


def flip(patterns: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Patterns (…, N) with a share of each one's units, drawn at random, flipped."""
    number = round(share * patterns.shape[-1])
    chosen = torch.rand(patterns.shape, generator=generator).argsort(dim=-1)[..., :number]
    return patterns.scatter(-1, chosen, -patterns.gather(-1, chosen))
