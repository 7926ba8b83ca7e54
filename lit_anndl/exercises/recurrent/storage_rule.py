"""How patterns are stored in an associative memory."""

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from lit_anndl.nets.hopfield import DenseAssociativeMemory, Hopfield, Memory, hebb, lssm
from lit_anndl.runtime.errors import InputError

StorageRule = Literal["lssm", "hebb", "dense"]
STORAGES: tuple[StorageRule, ...] = get_args(StorageRule)
_LONGEST_STEP = 20.0
"""The weights of LSSM grow as eʰ; larger ones leave nothing of the states but rounding errors."""


@dataclass(frozen=True)
class Rule:
    """How patterns are stored: LSSM with τ and step h, Hebb's rule, or a dense memory of some order.

    Raises:
        InputError: a step of more than _LONGEST_STEP; an order of less than 2.
    """

    storage: StorageRule
    tau: float = 10.0
    step: float = 0.15
    order: int = 3

    def __post_init__(self) -> None:
        """Refuses what cannot be stored with, by the other rules too: exercises compare them."""
        if self.step > _LONGEST_STEP:
            raise InputError(f"model.step {self.step:g} was given, expected {_LONGEST_STEP:g} at most")
        if self.order < 2:
            raise InputError(f"model.order {self.order} was given, expected 2 or more")

    def memory(self, patterns: int, units: int) -> Memory:
        """A network for so many patterns of so many units; nothing is stored yet."""
        if self.storage == "dense":
            return DenseAssociativeMemory(patterns, units, self.order)
        return Hopfield(units, "satlins" if self.storage == "lssm" else "sign")

    def store(self, memory: Memory, patterns: Tensor) -> None:
        """Stores patterns (Q, N) in its network."""
        if isinstance(memory, DenseAssociativeMemory):
            memory.store(patterns)
        else:
            memory.store(*(lssm(patterns, self.tau, self.step) if self.storage == "lssm" else hebb(patterns)))
