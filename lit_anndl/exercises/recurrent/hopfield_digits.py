"""A Hopfield network of 784 units: digits recalled from noise and from parts (exercise 2.1)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jsonargparse.typing import NonNegativeFloat, PositiveFloat, PositiveInt
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional import confusion_matrix

from lit_anndl.data.batches import Batch
from lit_anndl.data.digit_patterns import Corruption, DigitPatternData
from lit_anndl.data.digits.idx import CLASSES, SIDE
from lit_anndl.data.in_memory import EVALUATION_BATCH_SIZE
from lit_anndl.exercises.recurrent.associative_memory import STATE_TOLERANCE, AssociativeMemory, same, wilson
from lit_anndl.exercises.recurrent.storage_rule import STORAGES, Rule, StorageRule
from lit_anndl.nets.recall import Recall, trajectory
from lit_anndl.plots.images import image_grid
from lit_anndl.plots.memories import confusions, energies, rates
from lit_anndl.runtime.records import History, Table

UNITS = SIDE**2
_NEITHER = CLASSES
"""The column of a confusion matrix for what is no stored digit."""
_QUARTILES = torch.tensor([0.5, 0.25, 0.75])
_AXES = {"noise": "standard deviation of the noise, σ", "occlusion": "hidden share of the image"}


@dataclass(frozen=True)
class _CorruptionResult:
    """What a rule has recalled from the copies that were corrupted alike.

    Args:
        storage: the rule.
        corruption: how they were corrupted.
        ended: (B,) int64, the digit that each ended in, NEITHER for none.
        classes: (B,) int64, their own.
        outcome: where they ended, and when.
    """

    storage: StorageRule
    corruption: Corruption
    ended: Tensor
    classes: Tensor
    outcome: Recall

    @property
    def successes(self) -> int:
        """How many ended in their own digit."""
        return int((self.ended == self.classes).sum())

    def interval(self) -> list[float]:
        """The share that ended in the right digit, with its Wilson interval of 95 %."""
        return [self.successes / len(self.ended), *wilson(self.successes, len(self.ended))]

    def quartiles(self) -> list[float]:
        """Iterations: median, lower and upper quartile."""
        quantiles: list[float] = self.outcome.iterations.double().quantile(_QUARTILES.double()).tolist()
        return quantiles

    def matrix(self) -> NDArray[np.int64]:
        """Counts (class, what was recalled), the last column for what is no digit."""
        counts = confusion_matrix(self.ended, self.classes, task="multiclass", num_classes=CLASSES + 1)
        matrix: NDArray[np.int64] = counts[:CLASSES].numpy()
        return matrix

    def row(self) -> dict[str, Any]:
        """The line of the table of levels."""
        share, low, high = self.interval()
        return {
            "storage": self.storage,
            "corruption": self.corruption.kind,
            "level": self.corruption.level,
            "copies": len(self.ended),
            "recalled": share,
            "from (95 %)": low,
            "to": high,
            "another digit": float(((self.ended != self.classes) & (self.ended != _NEITHER)).double().mean()),
            "none": float((self.ended == _NEITHER).double().mean()),
            "converged": float(self.outcome.converged.double().mean()),
            "iterations": self.quartiles()[0],
        }

    def cells(self) -> Iterator[dict[str, Any]]:
        """The lines of the table of confusions: what was recalled from which digit, how often."""
        for (shown, recalled), count in np.ndenumerate(self.matrix()):
            if count:
                yield {
                    "storage": self.storage,
                    "corruption": self.corruption.kind,
                    "level": self.corruption.level,
                    "shown": shown,
                    "recalled": recalled if recalled != _NEITHER else None,
                    "copies": int(count),
                }


class HopfieldDigits(AssociativeMemory[DigitPatternData]):
    """Ten digits of 784 pixels, recalled from corrupted copies.

    Metrics: `train/stored`, share of the digits that are fixed points; over all corrupted copies, `test/recalled`,
    share that ends in the right digit; `test/converged`, share that stands still; `test/iterations`, mean number of
    updates until it does, the most allowed where it does not. The table `levels` has them for each level and each of
    the rules, on the same copies.

    Args:
        storage: lssm (Li, Michel & Porod 1989), hebb, or dense (Krotov & Hopfield 2016).
        tau: τ of LSSM.
        step: h of LSSM, the time between two iterations.
        order: n of the dense memory, whose energy is -Σ (p·s)ⁿ.
        update: synchronous, all units at once, or asynchronous, one after the other in random order.
        iterations: the most updates.
        tolerance: a state stands still when no unit changes by more.
    """

    def __init__(
        self,
        storage: StorageRule = "lssm",
        tau: PositiveFloat = 10.0,
        step: PositiveFloat = 0.15,
        order: PositiveInt = 3,
        update: Literal["synchronous", "asynchronous"] = "synchronous",
        iterations: PositiveInt = 200,
        tolerance: NonNegativeFloat = 1e-6,
    ) -> None:
        super().__init__(Rule(storage, tau, step, order), CLASSES, UNITS, update, iterations, tolerance)
        self.outcomes: dict[StorageRule, Recall] = {}

    def is_right(self, ended: Tensor, batch: Batch) -> Tensor:
        """Which states have ended in their own digit."""
        _, classes, _ = batch
        return (ended - self.patterns.to(ended)[classes]).abs().amax(dim=1) <= STATE_TOLERANCE

    def on_test_start(self) -> None:
        """Drops an earlier test."""
        super().on_test_start()
        self.outcomes.clear()

    def outcomes_of(self, data: DigitPatternData) -> dict[StorageRule, Recall]:
        """What each of the rules recalls from the test's states, found out once."""
        if not self.outcomes:
            self.outcomes = {storage: self.recall_by(storage, data.test[0]) for storage in STORAGES}
        return self.outcomes

    def recall_by(self, storage: StorageRule, states: Tensor) -> Recall:
        """What a rule recalls from states; that of this network has been recalled already."""
        if storage == self.rule.storage:
            return Recall.joined(self.recalled)
        rule = replace(self.rule, storage=storage)
        memory = rule.memory(CLASSES, UNITS).to(next(self.net.buffers()))
        rule.store(memory, self.patterns)
        return Recall.joined([self.recall(batch, memory) for batch in states.split(EVALUATION_BATCH_SIZE)])

    def levels(self, data: DigitPatternData) -> list[_CorruptionResult]:
        """For each rule and corruption what came of it."""
        _, classes, corrupted = data.test
        return [
            _CorruptionResult(
                storage, corruption, _endings(outcome[chosen], self.patterns), classes[chosen], outcome[chosen]
            )
            for storage, outcome in self.outcomes_of(data).items()
            for number, corruption in enumerate(data.corruptions)
            if (chosen := corrupted == number).any()
        ]

    def tables(self, data: DigitPatternData) -> Iterator[tuple[str, Table]]:
        """Recall by rule and level; what was recalled from which digit."""
        levels = self.levels(data)
        rows = [level.row() for level in levels]
        yield "levels", {name: [row[name] for row in rows] for name in rows[0]}
        cells = [cell for level in levels for cell in level.cells()]
        yield "confusion", {name: [cell[name] for cell in cells] for name in cells[0]}

    def figures(self, data: DigitPatternData, history: History) -> Iterator[tuple[str, Figure]]:
        """Digits stored, corrupted and recalled; recall and iterations by level; confusion matrices; energies."""
        levels = self.levels(data)
        own = [level for level in levels if level.storage == self.rule.storage]
        yield "digits", self.digit_grid(data, [each.corruption for each in shown(own, 2)])
        yield "recalled", rates(panels(levels, _CorruptionResult.interval), "share recalled (95 % intervals)")
        yield "iterations", rates(panels(levels, _CorruptionResult.quartiles), "iterations (quartiles)")
        matrices = {f"{each.corruption} ({each.storage})": each.matrix() for each in shown(own, 3)}
        yield "confusion", confusions(matrices, [*map(str, range(CLASSES)), "–"])
        yield "energy", self.energy_figure(data)

    def digit_grid(self, data: DigitPatternData, corruptions: list[Corruption]) -> Figure:
        """The stored digits, and for some corruptions a copy of each with what was recalled from it."""
        states, _, corrupted = data.test
        outcome = Recall.joined(self.recalled)
        recalled, ended = outcome.states.cpu().float(), _endings(outcome, self.patterns)
        rows, captions = [self.patterns.float()], [f"{digit} stored" for digit in range(CLASSES)]
        for corruption in corruptions:
            first = (corrupted == data.corruptions.index(corruption)).nonzero()[:CLASSES, 0]
            rows += [states[first].float(), recalled[first]]
            captions += [str(corruption)] * CLASSES
            captions += [f"recalled {digit}" if digit != _NEITHER else "no digit" for digit in ended[first].tolist()]
        pixels = torch.cat(rows).reshape(-1, SIDE, SIDE).numpy()
        return image_grid(pixels, captions, f"{self.rule.storage}: stored, corrupted and recalled", CLASSES)

    def energy_figure(self, data: DigitPatternData) -> Figure:
        """Energies on the way from a copy of each digit, corrupted midway through the levels."""
        _, _, corrupted = data.test
        middle = len(data.corruptions) // 2
        chosen = (corrupted == middle).nonzero()[:CLASSES, 0]
        longest = int(Recall.joined(self.recalled).iterations[chosen].max())
        starts = data.test[0][chosen].to(next(self.net.buffers()))
        energy = self.net.energy(trajectory(self.updates(), starts, longest)).cpu().double().numpy()
        title = f"energy of ten digits, {data.corruptions[middle]} ({self.rule.storage})"
        return energies(energy, title, [str(digit) for digit in data.test[1][chosen].tolist()])


def _endings(outcome: Recall, patterns: Tensor) -> Tensor:
    """Which pattern (Q, N) each state has come to rest in, NEITHER for none: int64 (B,)."""
    reached = same(outcome.states.cpu(), patterns) & outcome.converged.cpu()[:, None]
    return torch.where(reached.any(dim=1), reached.int().argmax(dim=1), _NEITHER)


def panels(
    levels: list[_CorruptionResult], values: Callable[[_CorruptionResult], list[float]]
) -> dict[str, tuple[list[float], dict[str, NDArray[np.float64]]]]:
    """For each kind of corruption its levels, and values with low and high for each rule there."""
    found = {}
    for kind, label in _AXES.items():
        of_kind = [level for level in levels if level.corruption.kind == kind]
        if of_kind:
            by_rule: dict[str, NDArray[np.float64]] = {
                s: np.array([values(level) for level in of_kind if level.storage == s]) for s in STORAGES
            }
            found[label] = ([level.corruption.level for level in of_kind if level.storage == STORAGES[0]], by_rule)
    return found


def shown(levels: list[_CorruptionResult], noisy: int) -> list[_CorruptionResult]:
    """Some levels to look at: so many of noise, and one of occlusion, evenly spread."""
    return [
        of_kind[len(of_kind) * part // (number + 1)]
        for kind, number in (("noise", noisy), ("occlusion", 1))
        if (of_kind := [level for level in levels if level.corruption.kind == kind])
        for part in range(1, min(number, len(of_kind)) + 1)
    ]
