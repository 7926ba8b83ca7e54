"""A Hopfield network of two units: attractors, stored and spurious, and their basins (exercise 2.1)."""

from collections.abc import Iterator

import torch
from lightning.pytorch import LightningDataModule
from matplotlib.figure import Figure

from lit_anndl.data.patterns import PatternData
from lit_anndl.exercises.shared.association import same
from lit_anndl.exercises.shared.small_memory import SmallMemory, rounded
from lit_anndl.nets.recall import Recall
from lit_anndl.plots.memories import basins
from lit_anndl.training.exercise import History

RESOLUTION = 201
"""Starts along each side of the plane."""


class Hopfield2D(SmallMemory):
    """Patterns in the plane, stored in two units."""

    dimensions = 2

    def figures(self, data: LightningDataModule, history: History) -> Iterator[tuple[str, Figure]]:
        """Trajectories, energies, and basins in the plane."""
        assert isinstance(data, PatternData)
        yield from super().figures(data, history)
        axis = torch.linspace(-1, 1, RESOLUTION, dtype=torch.float64)
        outcome = Recall.joined([self.recall(torch.cartesian_prod(axis, axis))])
        attractors = [point.state for point, role in self.points() if role != "unstable"]
        reached = same(outcome.states, torch.stack(attractors or [torch.full((2,), torch.nan)]))
        reached &= outcome.converged[:, None]
        index = torch.where(reached.any(dim=1), reached.int().argmax(dim=1), -1).reshape(RESOLUTION, RESOLUTION)
        names = [str([f"{value:g}" for value in rounded(state)]).replace("'", "") for state in attractors]
        yield "basins", basins(index.numpy(), names, self.ways(data).numpy(), self.points_by_role())
