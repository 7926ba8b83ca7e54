"""How many random patterns a Hopfield network holds: exact recall against K/N (exercise 2.1)."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from jsonargparse.typing import PositiveFloat, PositiveInt
from matplotlib.figure import Figure
from torch import Tensor

from lit_anndl.data.random_patterns import RandomPatternData
from lit_anndl.exercises.recurrent.associative_memory import STATE_TOLERANCE, wilson
from lit_anndl.exercises.recurrent.storage_rule import STORAGES, Rule, StorageRule
from lit_anndl.modules.exercise import Exercise, Metrics
from lit_anndl.nets.recall import recall
from lit_anndl.plots.memories import capacity
from lit_anndl.runtime.records import History, Table


class HopfieldCapacity(Exercise[RandomPatternData]):
    """Sets of K random patterns of N units, each set stored in a network of its own and recalled from flipped copies.

    Metrics, over all loads: `train/stored`, share of the patterns that are fixed points; `test/recalled`, share that
    is recalled exactly. The table `capacity` has them by load for each of the rules, with Wilson intervals (patterns
    of a set are taken for independent, which they are not quite), and the share of the sets recalled as a whole.

    Rules drawn in, for independent patterns: 0.138 N patterns with a few errors (Amit, Gutfreund & Sompolinsky 1985);
    without any N / (2 ln N) one by one, N / (4 ln N) as a whole (McEliece et al. 1987); of order n,
    N^(n-1) / (2 (2n-3)!! ln N) (Krotov & Hopfield 2016).

    Args:
        storage: whose metrics are logged.
        order: n of the dense memory.
        tau: τ of LSSM.
        step: h of LSSM.
        iterations: the most updates, synchronous.
    """

    def __init__(
        self,
        storage: StorageRule = "hebb",
        order: PositiveInt = 3,
        tau: PositiveFloat = 10.0,
        step: PositiveFloat = 0.15,
        iterations: PositiveInt = 50,
    ) -> None:
        super().__init__()
        self.rule = Rule(storage, tau, step, order)
        self.iterations = iterations
        self.exact: dict[tuple[StorageRule, float, float], Tensor] = {}

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """Of storing and of recall."""
        return ("train/stored", "test/recalled")

    def train_batch(self, batch: tuple[Tensor, ...]) -> Metrics:
        """Stores each set of all loads, and asks which of its patterns an update changes."""
        stored = [self.recalled(self.rule, sets, sets, 1).flatten() for sets in batch]
        return {"stored": torch.cat(stored).double().mean()}

    def on_test_start(self) -> None:
        """Drops an earlier test."""
        super().on_test_start()
        self.exact.clear()

    def examples_in(self, batch: tuple[float, Tensor, dict[float, Tensor]]) -> int:
        """Patterns, as often as they are recalled."""
        _, sets, starts = batch
        return sets.shape[0] * sets.shape[1] * len(starts)

    def evaluate_batch(self, batch: tuple[float, Tensor, dict[float, Tensor]], stage: str) -> Metrics:
        """Recalls the patterns of one load from their flipped copies, by each rule."""
        load, sets, starts = batch
        for storage in STORAGES:
            rule = replace(self.rule, storage=storage)
            for share, flipped in starts.items():
                self.exact[storage, load, share] = self.recalled(rule, sets, flipped, self.iterations).cpu()
        own = torch.stack([self.exact[self.rule.storage, load, share] for share in starts])
        return {"recalled": own.double().mean()}

    def recalled(self, rule: Rule, sets: Tensor, starts: Tensor, iterations: int) -> Tensor:
        """Which patterns of each set (S, K, N) are recalled exactly from their starts: bool (S, K)."""
        return torch.stack(
            [_recalled_of_set(rule, patterns, own, iterations) for patterns, own in zip(sets, starts, strict=True)]
        )

    def tables(self, data: RandomPatternData) -> Iterator[tuple[str, Table]]:
        """Recall by rule, load and share of flipped units."""
        rows = [
            {
                "storage": storage,
                "K/N": load,
                "flipped": share,
                "patterns": exact.numel(),
                **interval("recalled", exact),
                "sets": len(exact),
                **interval("sets recalled", exact.all(dim=1)),
            }
            for (storage, load, share), exact in self.exact.items()
        ]
        yield "capacity", {name: [row[name] for row in rows] for name in rows[0]}

    def figures(self, data: RandomPatternData, history: History) -> Iterator[tuple[str, Figure]]:
        """Exact recall against K/N, a figure for each share of flipped units."""
        for share in data.flipped:
            by_rule = {
                self.label(storage): np.array(
                    [[*interval("", self.exact[storage, load, share]).values()] for load in data.loads]
                )
                for storage in STORAGES
            }
            title = f"N = {data.units}, {share:.0%} of the units flipped, {data.sets} sets"
            yield f"capacity_{100 * share:g}", capacity(data.loads, by_rule, self.rules(data.units), title)

    def label(self, storage: StorageRule) -> str:
        """A rule's name in a figure."""
        return {"lssm": "LSSM", "hebb": "Hebb", "dense": f"dense, order {self.rule.order}"}[storage]

    def rules(self, units: int) -> dict[str, float]:
        """The rules for the capacity, as K/N."""
        order, odd = self.rule.order, range(1, 2 * self.rule.order - 2, 2)  # whose product is (2n-3)!!
        logarithm = (order - 2) * math.log(units) - math.log(2 * math.log(units)) - sum(map(math.log, odd))
        return {
            "Hebb, N / (4 ln N)": 1 / (4 * math.log(units)),
            "Hebb, N / (2 ln N)": 1 / (2 * math.log(units)),
            "Hebb, with errors": 0.138,
            f"rule of order {order}": math.exp(logarithm),
        }


def _recalled_of_set(rule: Rule, patterns: Tensor, starts: Tensor, iterations: int) -> Tensor:
    """Which patterns (K, N) a network that stores them all recalls exactly from their starts: bool (K,)."""
    memory = rule.memory(*patterns.shape).to(patterns)
    rule.store(memory, patterns)
    ended = recall(memory, starts, iterations, STATE_TOLERANCE)
    return ended.converged & ((ended.states - patterns).abs().amax(dim=1) <= STATE_TOLERANCE)


def interval(name: str, exact: Tensor) -> dict[str, float]:
    """A share, and its Wilson interval."""
    low, high = wilson(int(exact.sum()), exact.numel())
    return {name: float(exact.double().mean()), f"{name} from (95 %)": low, f"{name} to": high}
