"""Associative memories: what the exercises on Hopfield networks share."""

from abc import abstractmethod
from typing import Literal, TypeVar

import torch
from scipy.stats import binomtest
from torch import Tensor

from lit_anndl.data.batches import Batch
from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.data.streams import stream
from lit_anndl.exercises.recurrent.storage_rule import Rule
from lit_anndl.modules.exercise import Exercise, Metrics
from lit_anndl.nets.hopfield import Memory, Update, asynchronous
from lit_anndl.nets.recall import Recall, recall
from lit_anndl.runtime.errors import InputError

STATE_TOLERANCE = 1e-3
"""States that differ by no more in any unit are the same."""


Patterns = TypeVar("Patterns", bound=InMemoryData)


class AssociativeMemory(Exercise[Patterns]):
    """A network that stores patterns in closed form and recalls them from other states.

    "Training" is one step, the storing. Metrics: `train/stored`, share of the patterns that are fixed points;
    `test/recalled`, share of the starting states that come to rest where they should, see the exercise;
    `test/converged`, share of those that come to rest; `test/iterations`, mean number of updates until they do, the
    most allowed for those that do not.

    Args:
        rule: how the patterns are stored.
        patterns: how many, Q (a dense memory has to know).
        units: N.
        update: all units at once (synchronous), or one after the other in random order (asynchronous), N of which
            count as one iteration.
        iterations: the most updates.
        tolerance: a state stands still when no unit changes by more.
    """

    net: Memory

    def __init__(
        self,
        rule: Rule,
        patterns: int,
        units: int,
        update: Literal["synchronous", "asynchronous"],
        iterations: int,
        tolerance: float,
    ) -> None:
        super().__init__()
        self.rule = rule
        self.units = units
        self.net = rule.memory(patterns, units)
        self.update = update
        self.iterations = iterations
        self.tolerance = tolerance
        self.patterns = torch.empty(0)
        self.recalled: list[Recall] = []

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """Those of storing and of recall."""
        return ("train/stored", "test/recalled", "test/converged", "test/iterations")

    def store(self, patterns: Tensor) -> None:
        """Stores patterns (Q, N) in the network."""
        self.patterns = patterns.cpu().double()
        self.rule.store(self.net, patterns)

    @abstractmethod
    def is_right(self, ended: Tensor, batch: Batch) -> Tensor:
        """Which states (B, N) have ended as they should: bool (B,)."""

    def check(self, data: Patterns) -> None:
        """Refuses patterns of another length than the network's, or that it cannot store."""
        patterns = data.train[0]
        if (given := patterns.shape[1]) != (units := self.units):
            raise InputError(f"data.patterns: patterns of {given} values were given, expected {units}")
        self.store(patterns)

    def train_batch(self, batch: Batch) -> Metrics:
        """Stores the patterns, which are a single batch."""
        (patterns,) = batch
        self.store(patterns)
        changed = (self.net(patterns) - patterns).abs().amax(dim=1)
        return {"stored": (changed <= STATE_TOLERANCE).double().mean()}

    def on_test_start(self) -> None:
        """Drops an earlier test."""
        super().on_test_start()
        self.recalled.clear()

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        """Recalls from a batch of states and keeps where they end."""
        result = self.recall(batch[0])
        self.recalled.append(result)
        return {
            "recalled": (self.is_right(result.states, batch) & result.converged).double().mean(),
            "converged": result.converged.double().mean(),
            "iterations": result.iterations.double().mean(),
        }

    def recall(self, states: Tensor, memory: Memory | None = None) -> Recall:
        """Updates states (B, N) until they stand still, in this network or another."""
        memory = memory or self.net
        return recall(self.updates(memory), states.to(next(memory.buffers())), self.iterations, self.tolerance)

    def updates(self, memory: Memory | None = None) -> Update:
        """The update of a network, in an order of units that is the same in every call."""
        if self.update == "synchronous":
            return memory or self.net
        return asynchronous(memory or self.net, stream(torch.initial_seed(), "order of updates"))


def same(states: Tensor, others: Tensor) -> Tensor:
    """Which of some states (B, N) are which of some others (K, N): bool (B, K)."""
    return (states[:, None] - others.to(states)).abs().amax(dim=2) <= STATE_TOLERANCE


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's interval of 95 % for a share (Wilson, Journal of the American Statistical Association 22, 1927)."""
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
