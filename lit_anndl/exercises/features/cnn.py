"""Digits by convolutional networks of any layout, and what a shift does to them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeInt, PositiveInt
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from matplotlib.figure import Figure
from torch import Tensor

from lit_anndl.data.digits.idx import CLASSES
from lit_anndl.data.in_memory import in_batches
from lit_anndl.data.mnist import MNISTData
from lit_anndl.data.shifts import LARGEST_SHIFT, share_of_cut, shifted
from lit_anndl.modules.examined import examined_once
from lit_anndl.modules.image_classifier import ImageClassifier
from lit_anndl.nets.cnn_architectures import VARIANTS, Architecture, Variant
from lit_anndl.nets.convolution_arithmetic import receptive_fields
from lit_anndl.nets.convolutional import CNN
from lit_anndl.nets.mlp import Activation
from lit_anndl.plots.images import first_filters
from lit_anndl.plots.shift_accuracy import shift_accuracy
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History, Table


class DigitCNN(ImageClassifier):
    """Classification by a convolutional network: one of the course's variants, or a layout of one's own.

    What follows `variant` and `channels` is as the variant has it where it is not given. A setting that may differ
    from convolution to convolution is one number for all of them, or a list with one for each.

    Metrics: `loss` (mean cross-entropy, nats) and `accuracy` (fraction) under `train/`, `val/` and `test/`; in training
    they are taken before each step, with dropout on, and from labels that are smoothed, if they are. Of the test images
    shifted by k pixels, the mean over the four directions: `test/accuracy_shifted_1` … `_6`, and the table `shifts`,
    beside the share of the shifted images that a border cuts some ink off.

    Args:
        optimizer: a class of torch.optim with its arguments.
        variant: baseline, model_1, …, model_5, mlp (as many parameters as the baseline's), or keras; null for the
            baseline, or for a layout by `channels`.
        channels: filters of each convolution, [16, 32] for instance, for a layout of one's own; [] for none, which
            leaves a multilayer perceptron.
        kernels: sizes of the filters (3).
        strides: steps between the places they lie on (1).
        padding: zeros on each side (0).
        pooling: sizes of the max pooling after each convolution, 1 for none (1).
        batch_norm: whether outputs of convolutions are standardised over the batch (no).
        activation: what convolutions and hidden units apply (relu).
        dropout: probability of zeroing a value after a convolution (0).
        last_pooling: average or max over the images before the dense layers (neither; a variant's own stays).
        last_size: height and width that it leaves (1).
        head: hidden units of the dense layers, [] for none ([100]).
        head_dropout: probability of zeroing an input of a dense layer (0).
        head_batch_norm: whether what hidden units get is standardised over the batch (no).
        lr_scheduler: a class of torch.optim.lr_scheduler with its arguments, which moves the learning rate after each
            epoch; null for a constant rate.
        label_smoothing: share of the target that all classes get alike.

    Raises:
        InputError: both a variant and channels are given; settings do not fit each other, or the images, or are of
            layers that there are none of.
    """

    net: CNN

    def __init__(
        self,
        optimizer: OptimizerCallable,
        variant: Variant | None = None,
        channels: list[PositiveInt] | None = None,
        kernels: PositiveInt | list[PositiveInt] | None = None,
        strides: PositiveInt | list[PositiveInt] | None = None,
        padding: NonNegativeInt | list[NonNegativeInt] | None = None,
        pooling: PositiveInt | list[PositiveInt] | None = None,
        batch_norm: bool | None = None,
        activation: Activation | None = None,
        dropout: ClosedUnitInterval | list[ClosedUnitInterval] | None = None,
        last_pooling: Literal["average", "max"] | None = None,
        last_size: PositiveInt | None = None,
        head: list[PositiveInt] | None = None,
        head_dropout: ClosedUnitInterval | None = None,
        head_batch_norm: bool | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
        label_smoothing: ClosedUnitInterval = 0.0,
    ) -> None:
        if variant is not None and channels is not None:
            raise InputError(f"model.variant {variant} and model.channels {channels} were given, expected one of them")
        layout = Architecture(channels) if channels is not None else VARIANTS[variant or "baseline"]
        own: dict[str, Any] = {
            "kernels": kernels,
            "strides": strides,
            "padding": padding,
            "pooling": pooling,
            "batch_norm": batch_norm,
            "activation": activation,
            "dropout": dropout,
            "last_pooling": last_pooling,
            "last_size": last_size,
            "head": head,
            "head_dropout": head_dropout,
            "head_batch_norm": head_batch_norm,
        }
        self.architecture = replace(layout, **{name: value for name, value in own.items() if value is not None})
        try:
            net = CNN(self.architecture, CLASSES)
        except ValueError as error:
            raise InputError(f"model.{error}") from error
        super().__init__(optimizer, net, lr_scheduler, label_smoothing)

    def check(self, data: MNISTData) -> None:
        """Refuses a last batch of one example where batch norm has no places to standardise over either."""
        super().check(data)
        pixels = min(each.height * each.width for each in self.net.layers if each.name.startswith(("image", "conv")))
        if self.architecture.batch_norm and pixels == 1 and data.smallest_batch() == 1:
            raise InputError(
                f"data.batch_size {data.batch_size} leaves a last batch of one of {len(data.train[0])} training "
                "examples, which batch norm cannot standardise where a convolution leaves one pixel; expected another"
            )

    @classmethod
    def summaries(cls) -> tuple[str, ...]:
        """The accuracy on shifted images."""
        return tuple(f"test/accuracy_shifted_{pixels}" for pixels in range(1, LARGEST_SHIFT + 1))

    def summary(self, data: MNISTData, history: History) -> dict[str, float]:
        """The accuracy on shifted images."""
        return dict(zip(self.summaries(), self.accuracy_by_shift(data)[1:], strict=True))

    @examined_once
    def accuracy_by_shift(self, data: MNISTData) -> list[float]:
        """The share of test images told right when they are shifted by 0, 1, … pixels."""
        images, labels = data.test
        copies = (shifted(images, pixels) for pixels in range(LARGEST_SHIFT + 1))  # one at a time in memory
        return [self._accuracy(copy, labels) for copy in copies]

    @torch.no_grad()
    def _accuracy(self, copies: Tensor, labels: Tensor) -> float:
        """The share told right of images in several copies (K, n, 1, H, W)."""
        like = next(self.parameters())
        predicted = in_batches(lambda images: self(images.to(like)).argmax(dim=1).cpu(), copies.flatten(0, 1))
        return float((predicted == labels.repeat(len(copies))).double().mean())

    def figures(self, data: MNISTData, history: History) -> Iterator[tuple[str, Figure]]:
        """Those of every classifier, the accuracy on shifted images, and the first layer's filters."""
        yield from super().figures(data, history)
        yield "shifts", shift_accuracy(self.accuracy_by_shift(data), _cut_by_shift(data))
        if self.architecture.channels:
            yield "filters", first_filters(self.net.get_parameter("conv1.weight"))

    def tables(self, data: MNISTData) -> Iterator[tuple[str, Table]]:
        """The parameters per layer; sizes and receptive fields; the accuracy on shifted images, and what is cut off."""
        yield from super().tables(data)
        yield "sizes", self.sizes()
        accuracy = self.accuracy_by_shift(data)
        yield "shifts", {"shift": list(range(len(accuracy))), "cut off": _cut_by_shift(data), "accuracy": accuracy}

    def sizes(self) -> Table:
        """What each convolution and pooling hands on, and how many pixels along an axis each value depends on."""
        layers = self.net.layers
        columns = ("layer", "kernel", "stride", "channels", "height", "width")
        table = {name: list(values) for name, values in zip(columns, zip(*layers, strict=True), strict=True)}
        return {**table, "receptive field": receptive_fields([(each.kernel, each.stride) for each in layers])}


def _cut_by_shift(data: MNISTData) -> list[float]:
    """The share of test images that have lost some ink when they are shifted by 0, 1, … pixels."""
    return [share_of_cut(data.test[0], pixels) for pixels in range(LARGEST_SHIFT + 1)]
