"""Hopfield networks of a few units, whose fixed points are known exactly."""

from collections.abc import Iterator
from math import isfinite
from typing import Literal

import numpy as np
import torch
from jsonargparse.typing import NonNegativeFloat, PositiveFloat, PositiveInt
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from lit_anndl.data.batches import Batch
from lit_anndl.data.patterns import PatternData
from lit_anndl.exercises.recurrent.associative_memory import AssociativeMemory, same
from lit_anndl.exercises.recurrent.storage_rule import Rule
from lit_anndl.nets.fixed_points import MOST_UNITS, FixedPoint, fixed_points
from lit_anndl.nets.hopfield import Hopfield
from lit_anndl.nets.recall import Recall, trajectory
from lit_anndl.plots.memories import basins, energies, paths
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History, Table

_RESOLUTION = 201
"""Starts along each side of the plane."""
_ROLES = ("stored", "spurious", "unstable", "marginal")
SHOWN = 15
"""Random starts whose way is drawn."""
MOST_DRAWN = 3
"""Units whose states can be drawn as points."""
_MAX_STEPS_DRAWN = 100
"""Iterations of it that are drawn; some ways go round and round."""


class SmallHopfield(AssociativeMemory[PatternData]):
    """A Hopfield network of N units with its table of fixed points: stored, spurious, unstable.

    Metrics: `train/stored`, share of the patterns that are fixed points; `test/recalled`, share of the random starts
    that end in a stored pattern; `test/converged`, share of those that stand still; `test/iterations`, mean number
    of updates until they do, the most allowed for those that do not. Of the network: `fixed_points/stored`,
    `fixed_points/spurious`, the attractors that are a pattern and that are none, `fixed_points/unstable`, saddles and
    repellers, and `fixed_points/marginal`, which linear terms tell nothing about. They are those of the synchronous
    update.

    Args:
        units: N.
        storage: lssm (Li, Michel & Porod 1989; s ← satlins(Ws + b)) or hebb (s ← sign(Ws)).
        tau: τ of LSSM.
        step: h of LSSM, the time between two iterations.
        update: synchronous, all units at once, or asynchronous, one after the other in random order.
        iterations: the most updates.
        tolerance: a state stands still when no unit changes by more.

    Raises:
        InputError: patterns of another length than N; one pattern for LSSM; values other than ±1 for Hebb's rule.
    """

    def __init__(
        self,
        units: PositiveInt,
        storage: Literal["lssm", "hebb"] = "lssm",
        tau: PositiveFloat = 10.0,
        step: PositiveFloat = 0.15,
        update: Literal["synchronous", "asynchronous"] = "synchronous",
        iterations: PositiveInt = 1000,
        tolerance: NonNegativeFloat = 1e-9,
    ) -> None:
        super().__init__(Rule(storage, tau, step), 0, units, update, iterations, tolerance)
        self._points: list[tuple[FixedPoint, str]] | None = None

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """How many fixed points there are."""
        return tuple(f"fixed_points/{role}" for role in _ROLES)

    def check(self, data: PatternData) -> None:
        """Refuses starts of another length, and more units than fixed points can be found of, as well."""
        super().check(data)
        if self.units > MOST_UNITS:
            raise InputError(f"model.units {self.units} was given, expected {MOST_UNITS} at most, to find fixed points")
        if (given := data.starts.shape[1]) != self.units:
            raise InputError(f"data.starts: states of {given} values were given, expected {self.units}")

    def is_right(self, ended: Tensor, batch: Batch) -> Tensor:
        """Which states have ended in a stored pattern."""
        return same(ended, self.patterns.to(ended)).any(dim=1)

    def points(self) -> list[tuple[FixedPoint, str]]:
        """The fixed points with what they are to the user, the stored ones first; found once."""
        assert isinstance(self.net, Hopfield)
        if self._points is None:
            found = [(point, self.role(point)) for point in fixed_points(self.net)]
            self._points = sorted(found, key=lambda each: _ROLES.index(each[1]))
        return self._points

    def on_test_start(self) -> None:
        """Drops those of an earlier test."""
        super().on_test_start()
        self._points = None

    def role(self, point: FixedPoint) -> str:
        """Whether a fixed point is a stored pattern, an attractor that is none, unstable, or marginal."""
        if point.kind in ("saddle", "repeller"):
            return "unstable"
        if same(point.state[None], self.patterns).any():
            return "stored"
        return "spurious" if point.kind == "attractor" else "marginal"

    def summary(self, data: PatternData, history: History) -> dict[str, float]:
        """How many fixed points of each role there are."""
        roles = [role for _, role in self.points()]
        return {f"fixed_points/{role}": float(roles.count(role)) for role in _ROLES}

    def tables(self, data: PatternData) -> Iterator[tuple[str, Table]]:
        """Weights and bias; the fixed points; where the listed starts end."""
        assert isinstance(self.net, Hopfield)
        columns = {f"from unit {unit + 1}": column.tolist() for unit, column in enumerate(self.net.weights.T)}
        yield "weights", {**columns, "bias": self.net.bias.tolist()}
        yield "fixed_points", self.fixed_point_table(data)
        if len(data.starts):
            yield "starts", self.start_table(data)

    def fixed_point_table(self, data: PatternData) -> Table:
        """Each fixed point: its role, kind, radius, margin, share of the random starts, and of the perturbed runs
        from it that come back (`returns`)."""
        outcome = Recall.joined(self.recalled)
        points = self.points()
        return {
            "state": [_rounded(point.state) for point, _ in points],
            "role": [role for _, role in points],
            "kind": [point.kind for point, _ in points],
            "spectral radius": [point.radius for point, _ in points],
            "margin": [point.margin if isfinite(point.margin) else None for point, _ in points],
            "share of random starts": [share(outcome, point.state) for point, _ in points],
            "returns": [self.stability(data, point.state, point.state) for point, _ in points],
        }

    def start_table(self, data: PatternData) -> Table:
        """Each listed start: where it ends, after how many iterations, and how many perturbed runs end there too."""
        result, points = Recall.joined([self.recall(data.starts)]), self.points()
        return {
            "start": [_rounded(start) for start in data.starts],
            "end": [_rounded(end) for end in result.states],
            "role of the end": [_role_of(result[number], points) for number in range(len(data.starts))],
            "iterations": result.iterations.tolist(),
            "perturbed runs that end there": [
                self.stability(data, start, end) for start, end in zip(data.starts, result.states, strict=True)
            ],
        }

    def stability(self, data: PatternData, start: Tensor, end: Tensor) -> float:
        """Share of the perturbed runs from one state that come to rest in another, or in it again."""
        return share(Recall.joined([self.recall(data.perturbed(start))]), end)

    def figures(self, data: PatternData, history: History) -> Iterator[tuple[str, Figure]]:
        """The ways of random and listed starts, in up to three dimensions, and their energies."""
        drawn = self.trajectories(data)
        kind = f"{self.rule.storage}, {self.update}"
        energy = self.net.energy(drawn.to(next(self.net.buffers()))).cpu().double().numpy()
        if self.units <= MOST_DRAWN:
            yield "trajectories", paths(drawn.numpy(), self.points_by_role(), f"trajectories ({kind})")
        yield "energy", energies(energy, f"energy of {energy.shape[1]} starts ({kind})")
        if self.units == 2:
            yield "basins", self.basins(drawn)

    def basins(self, drawn: Tensor) -> Figure:
        """The attractor that each point of the plane ends in, under some trajectories."""
        axis = torch.linspace(-1, 1, _RESOLUTION, dtype=torch.float64)
        outcome = Recall.joined([self.recall(torch.cartesian_prod(axis, axis))])
        attractors = [point.state for point, role in self.points() if role != "unstable"]
        reached = same(outcome.states, torch.stack(attractors or [torch.full((2,), torch.nan)]))
        reached &= outcome.converged[:, None]
        index = torch.where(reached.any(dim=1), reached.int().argmax(dim=1), -1).reshape(_RESOLUTION, _RESOLUTION)
        names = [str([f"{value:g}" for value in _rounded(state)]).replace("'", "") for state in attractors]
        return basins(index.numpy(), names, drawn.numpy(), self.points_by_role())

    def trajectories(self, data: PatternData) -> Tensor:
        """How a few random starts and the listed ones go, as long as the slowest needs: float64 (steps, B, N)."""
        starts = torch.cat([data.test[0][:SHOWN], data.starts]).to(next(self.net.buffers()))
        longest = min(int(self.recall(starts).iterations.max()), _MAX_STEPS_DRAWN)
        return trajectory(self.updates(), starts, longest).cpu().double()

    def points_by_role(self) -> dict[str, NDArray[np.float64]]:
        """The fixed points' states (n, N) by role."""
        states: dict[str, list[Tensor]] = {role: [] for role in _ROLES}
        for point, role in self.points():
            states[role].append(point.state)
        return {role: torch.stack(each).numpy() for role, each in states.items() if each}


def _role_of(outcome: Recall, points: list[tuple[FixedPoint, str]]) -> str:
    """The role of the fixed point where one state has come to rest; "none" if it has in none."""
    return next((role for point, role in points if share(outcome, point.state)), "none")


def share(outcome: Recall, state: Tensor) -> float:
    """The share of states that have come to rest in a state (N,)."""
    return float((same(outcome.states, state[None])[:, 0] & outcome.converged).double().mean())


def _rounded(state: Tensor) -> list[float]:
    """A state for a table, without the rounding errors of solving for it."""
    return [round(value, 7) + 0.0 for value in state.tolist()]  # + 0.0: no -0.0
