"""Mini-batches cut from tensors in memory."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lit_anndl.data.streams import random_state
from lit_anndl.runtime.errors import InputError

Batch = tuple[Tensor, ...]
"""Inputs, targets, …: tensors whose first dimension counts the examples."""

_Transform = Callable[[Batch, torch.Generator], Batch]
"""From a batch and a generator on its device to the batch that is trained on."""


class TensorBatches:
    """Mini-batches cut from tensors by index, on the device that holds them; nothing is collated or copied over.

    The order of epoch e is a pure function of (seed, e). With `steps_per_execution` k each item is a list of k
    batches (fewer at the end of an epoch), for a training step that takes k optimizer steps at once; with None it
    is a list of all batches of the epoch. Under data parallelism rank r of w sees every w-th example of the
    same order, and each rank gets equally many.

    Args:
        tensors: the data, first dimensions equal.
        batch_size: examples per optimizer step and rank; the last batch of an epoch may be smaller.
        seed: of the order.
        shuffle: whether there is a random order, rather than that of the data.
        steps_per_execution: batches per item, None for the whole epoch.
        rank: this process among those that share the data.
        world_size: how many they are.
        transform: what is done to each batch; its generator is a function of seed, epoch and rank.

    Attributes:
        tensors_of: the data of an epoch, in the place of `tensors` and as many; None where all epochs have the same.

    Raises:
        InputError: there are fewer examples than ranks.
    """

    tensors_of: Callable[[int], Batch] | None = None

    def __init__(
        self,
        tensors: Batch,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        steps_per_execution: int | None = None,
        rank: int = 0,
        world_size: int = 1,
        transform: _Transform | None = None,
    ) -> None:
        self.tensors = tensors
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.world_size = world_size
        self.transform = transform
        self.examples = len(tensors[0]) // world_size
        if self.examples == 0:
            raise InputError(f"{len(tensors[0])} training examples cannot be shared by {world_size} processes")
        self.steps = math.ceil(self.examples / batch_size)
        self.steps_per_execution = min(steps_per_execution or self.steps, self.steps)
        self.epoch = 0

    def __len__(self) -> int:
        """Items per epoch."""
        return math.ceil(self.steps / self.steps_per_execution)

    def __iter__(self) -> Iterator[list[Batch]]:
        """The epoch that was set, in its own order."""
        if self.transform is None:
            yield from self._items()
            return
        state = random_state(self.seed, self.epoch, 1 + self.rank)  # another stream than the order's
        generator = torch.Generator(self.tensors[0].device).manual_seed(state)
        for batches in self._items():
            yield [self.transform(batch, generator) for batch in batches]

    @property
    def sampler(self) -> "TensorBatches":
        """Itself: Lightning tells a loader's sampler the epoch, of a resumed run too."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose data and order come next."""
        self.epoch = epoch
        if self.tensors_of is not None:
            self.tensors = self.tensors_of(epoch)

    def order(self, epoch: int) -> Tensor:
        """The indices of this rank's examples in the order of an epoch: int64, (examples,)."""
        generator = torch.Generator().manual_seed(random_state(self.seed, epoch))
        number = len(self.tensors[0])
        order = torch.randperm(number, generator=generator) if self.shuffle else torch.arange(number)
        return order.to(self.tensors[0].device)[self.rank :: self.world_size][: self.examples]

    def _items(self) -> Iterator[list[Batch]]:
        if self.steps == 1 and self.world_size == 1:  # the order changes nothing
            yield [self.tensors]
            return
        for indices in self.order(self.epoch).split(self.batch_size * self.steps_per_execution):
            pieces = (tensor[indices].split(self.batch_size) for tensor in self.tensors)
            yield list(zip(*pieces, strict=True))


class EvaluationBatches:
    """Batches in the given order. Under data parallelism every rank sees them all, so that results stay exact."""

    def __init__(self, tensors: Batch, batch_size: int) -> None:
        self.tensors = tensors
        self.batch_size = batch_size

    def __len__(self) -> int:
        """Batches in all."""
        return math.ceil(len(self.tensors[0]) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """The batches, in order."""
        return zip(*(tensor.split(self.batch_size) for tensor in self.tensors), strict=True)


class Items:
    """A loader of things that are there already; a plain list would be taken for a list of loaders."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        """How many there are."""
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        """The items, in order."""
        return iter(self.items)
