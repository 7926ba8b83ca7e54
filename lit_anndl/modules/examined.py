"""What is found of a tested exercise, once and on the device of the test."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from lit_anndl.modules.exercise import Exercise

Tested = TypeVar("Tested", bound=Exercise[Any])
Data = TypeVar("Data")
Found = TypeVar("Found")


def examined_once(examine: Callable[[Tested, Data], Found]) -> Callable[[Tested, Data], Found]:
    """Of a method that examines a tested exercise by its data: one that does so when first asked after each test.

    For as long as it takes the exercise is on the device that it was tested on, from where Lightning has moved it to
    the CPU. What is found is kept in `examined`, which the next test empties.
    """

    @wraps(examine)
    def found(self: Tested, data: Data) -> Found:
        if examine.__name__ not in self.examined:
            before = self.device
            self.to(self.trainer.strategy.root_device)
            self.examined[examine.__name__] = examine(self, data)
            self.to(before)
        kept: Found = self.examined[examine.__name__]
        return kept

    return found
