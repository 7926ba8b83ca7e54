"""An input and a kernel, as they are given."""

import torch
from torch import Tensor

from lit_anndl.data.batches import Items
from lit_anndl.data.data_module import DataModule
from lit_anndl.runtime.errors import InputError

Values = list[float] | list[list[float]]


class ConvolutionInput(DataModule):
    """One input and one kernel, both a list of numbers or both a list of rows.

    Args:
        input: X.
        kernel: K.

    Raises:
        InputError: rows of unequal lengths, nothing, or one in a line and the other in rows.
    """

    def __init__(self, input: Values, kernel: Values) -> None:
        super().__init__()
        self.input = _tensor("data.input", input)
        self.kernel = _tensor("data.kernel", kernel)
        if self.input.dim() != self.kernel.dim():
            given = [f"data.{name} {'rows' if x.dim() == 2 else 'a list'}" for name, x in self.named()]
            raise InputError(f"{' and '.join(given)} were given, expected both as lists or both as rows")

    def named(self) -> list[tuple[str, Tensor]]:
        """Both, by name."""
        return [("input", self.input), ("kernel", self.kernel)]

    def setup(self, stage: str) -> None:
        """Nothing is read."""

    def train_dataloader(self) -> Items:
        """One step: a batch of the input and the kernel."""
        return Items([[(self.input, self.kernel)]])

    def test_dataloader(self) -> Items:
        """The same, once."""
        return Items([(self.input, self.kernel)])


def _tensor(key: str, values: Values) -> Tensor:
    """Values as float64, which holds whole numbers exactly."""
    lengths = {len(row) if isinstance(row, list) else -1 for row in values}
    if len(lengths) != 1 or 0 in lengths:
        raise InputError(
            f"{key}: {values} was given, expected numbers, [2,5,4], or rows of equal length, [[2,5],[3,1]]"
        )
    return torch.tensor(values, dtype=torch.float64)
