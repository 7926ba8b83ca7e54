"""What a convolution computes, written out (exercise 3.2)."""

from collections.abc import Iterator

import torch
from jsonargparse.typing import NonNegativeInt, PositiveInt
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv2d

from lit_anndl.data.convolution_input import ConvolutionInput
from lit_anndl.modules.exercise import Exercise, Metrics
from lit_anndl.nets.convolution_arithmetic import convolve, output_size, receptive_fields, windows
from lit_anndl.plots.matrices import matrices
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History, Table


class Convolution(Exercise[ConvolutionInput]):
    """Y_i = Σ_m K_m X_{s·i + m - p}, in one dimension or two: every sum in the table `sums`, the result in `output`.

    Metrics: `train/sum`, the sum of all outputs; `test/difference`, the largest difference to torch's own convolution.
    Of the output: `output/height`, `output/width`, and of the stack, if there is one, `stack/receptive_field` and
    `stack/output`, the size of its output along an axis.

    Args:
        stride: s, along each axis.
        padding: p, zeros on each side.
        stack: layers after each other, [[kernel, stride, padding], …]; the table `stack` has their sizes and receptive
            fields for an input as wide as the given one.

    Raises:
        InputError: a kernel larger than its input; a layer that is none.
    """

    def __init__(
        self,
        stride: PositiveInt = 1,
        padding: NonNegativeInt = 0,
        stack: list[list[NonNegativeInt]] = [],  # noqa: B006  # jsonargparse shows it
    ) -> None:
        super().__init__()
        self.net = nn.Identity()
        self.stride, self.padding = stride, padding
        for layer in stack:
            if len(layer) != 3 or not layer[0] or not layer[1]:
                raise InputError(
                    f"model.stack: {layer} was given, expected [kernel, stride, padding], such as [3, 1, 0]"
                )
        self.stack = stack

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """Of the sum and of the comparison."""
        return ("train/sum", "test/difference")

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """Sizes."""
        return ("output/height", "output/width", "stack/receptive_field", "stack/output")

    def check(self, data: ConvolutionInput) -> None:
        """Refuses kernels that do not fit."""
        for option, compute in (("data.kernel", self.convolve), ("model.stack", self.stack_sizes)):
            try:
                compute(data)
            except ValueError as error:
                raise InputError(f"{option}: {error}") from error

    def convolve(self, data: ConvolutionInput) -> Tensor:
        """The output."""
        return convolve(data.input, data.kernel, self.stride, self.padding)

    def train_batch(self, batch: tuple[Tensor, Tensor]) -> Metrics:
        """Sums."""
        return {"sum": convolve(*batch, self.stride, self.padding).sum()}

    def evaluate_batch(self, batch: tuple[Tensor, Tensor], stage: str) -> Metrics:
        """Compares with torch."""
        x, kernel = batch
        torchs = (conv1d if x.dim() == 1 else conv2d)(
            x[None, None], kernel[None, None], stride=self.stride, padding=self.padding
        )
        return {"difference": (convolve(x, kernel, self.stride, self.padding) - torchs[0, 0]).abs().max()}

    def examples_in(self, batch: tuple[Tensor, Tensor]) -> int:
        """One input."""
        return 1

    def summary(self, data: ConvolutionInput, history: History) -> dict[str, float]:
        """Sizes of the output, and of the stack's."""
        *heights, width = self.convolve(data).shape
        sizes = {"output/height": float(*heights or [1]), "output/width": float(width)}
        if self.stack:
            sizes["stack/receptive_field"] = float(self.fields()[-1])
            sizes["stack/output"] = float(self.stack_sizes(data)[-1])
        return sizes

    def fields(self) -> list[int]:
        """The receptive field after each layer of the stack."""
        return receptive_fields([(kernel, stride) for kernel, stride, _ in self.stack])

    def stack_sizes(self, data: ConvolutionInput) -> list[int]:
        """The size after each layer of the stack, along the last axis.

        Raises:
            ValueError: a kernel does not fit, along any axis.
        """
        *_, last = (self._sizes_along(length) for length in data.input.shape)
        return last

    def _sizes_along(self, length: int) -> list[int]:
        sizes = [length]
        for kernel, stride, padding in self.stack:
            sizes.append(output_size(sizes[-1], kernel, stride, padding))
        return sizes[1:]

    def tables(self, data: ConvolutionInput) -> Iterator[tuple[str, Table]]:
        """Every sum written out; the output; the stack's sizes."""
        found = list(windows(data.input, data.kernel, self.stride, self.padding))
        yield (
            "sums",
            {
                "output": [", ".join(map(str, place)) for place, _ in found],
                "sum": [written_out(window, data.kernel) for _, window in found],
                "value": [float((window * data.kernel).sum()) for _, window in found],
            },
        )
        output = torch.atleast_2d(self.convolve(data))
        yield "output", {f"column {number}": column.tolist() for number, column in enumerate(output.T)}
        if self.stack:
            kernels, strides, paddings = (list(column) for column in zip(*self.stack, strict=True))
            sizes = {"output size": self.stack_sizes(data), "receptive field": self.fields()}
            yield "stack", {"kernel": kernels, "stride": strides, "padding": paddings, **sizes}

    def figures(self, data: ConvolutionInput, history: History) -> Iterator[tuple[str, Figure]]:
        """Input, kernel and output with their numbers."""
        panels = {"input": data.input, "kernel": data.kernel, "output": self.convolve(data)}
        title = f"stride {self.stride}, padding {self.padding}"
        yield "convolution", matrices({name: torch.atleast_2d(x).numpy() for name, x in panels.items()}, title)


def written_out(window: Tensor, kernel: Tensor) -> str:
    """A sum as it is written: 2·1 + 5·0 + 3·0 + 1·1."""
    pairs = zip(window.flatten().tolist(), kernel.flatten().tolist(), strict=True)
    return " + ".join(f"{value:g}·{weight:g}" for value, weight in pairs)
