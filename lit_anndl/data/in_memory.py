"""Data sets that fit in memory, as tensors on the training device."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.precision import DoublePrecision
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor

from lit_anndl.data.batches import Batch, EvaluationBatches, TensorBatches
from lit_anndl.data.bootstrap import bootstrap
from lit_anndl.data.data_module import DataModule
from lit_anndl.runtime.errors import InputError

EVALUATION_BATCH_SIZE = 1000
"""Examples per validation and test step: no gradients, so memory allows more than in training."""


def in_batches(function: Callable[[Tensor], Tensor], examples: Tensor) -> Tensor:
    """What a function makes of many examples (n, …), EVALUATION_BATCH_SIZE of them at a time.

    >>> in_batches(lambda batch: batch[:, :1], torch.zeros(2500, 3)).shape
    torch.Size([2500, 1])
    """
    return torch.cat([function(batch) for batch in examples.split(EVALUATION_BATCH_SIZE)])


class InMemoryData(DataModule):
    """Data held as tensors on the training device, handed out by index.

    Subclasses load `train`, `validation` and `test` (tuples of tensors; validation may stay empty) in `setup`.

    Args:
        batch_size: examples per optimizer step (and per device under data parallelism).
        steps_per_execution: optimizer steps handed to one training step, None for a whole epoch; more saves the
            framework's cost per step, fewer lets callbacks look in more often.
        seed: of whatever the data set draws, None for the run's own seed.
        resamples: bootstrap samples of the training examples, one for each member of an ensemble; 0 for the
            examples themselves.
    """

    train: Batch
    test: Batch
    shuffle = True

    def __init__(self, batch_size: int, steps_per_execution: int | None, seed: int | None, resamples: int = 0) -> None:
        super().__init__(seed)
        self.batch_size = batch_size
        self.steps_per_execution = steps_per_execution
        self.resamples = resamples

    def transform(self, batch: Batch, generator: torch.Generator) -> Batch:
        """A training batch as the net sees it, on the training device: augmented, or binarized.

        Args:
            batch: what `train` holds of some examples.
            generator: of all that is random here; a function of seed, epoch and rank, so that a resumed run draws the
                same. What validation and test are to see is made in `setup`.
        """
        return batch

    @abstractmethod
    def setup(self, stage: str) -> None:
        """Loads the tensors; called once per stage, so it has to be cheap the second time."""

    def train_dataloader(self) -> TensorBatches:
        """The training batches, in lists of `steps_per_execution`."""
        trainer = self._attached_trainer()
        examples = bootstrap(self.train, self.resamples, self.seed) if self.resamples else self.train
        return TensorBatches(
            self._on_device(examples),
            self.batch_size,
            seed=self.run_seed,
            shuffle=self.shuffle,
            steps_per_execution=self.steps_per_execution,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
            transform=self.transform if is_overridden("transform", self, InMemoryData) else None,
        )

    def refuse_larger_batches(self) -> None:
        """Refuses batches of more examples than there are: an epoch would be a step on fewer than were asked for.

        Raises:
            InputError: they are larger.
        """
        if self.batch_size > (number := len(self.train[0])):
            raise InputError(f"data.batch_size {self.batch_size} was given, expected {number} at most, all there are")

    def smallest_batch(self, processes: int = 1) -> int:
        """The examples of the last batch of an epoch, when so many processes share them."""
        return len(self.train[0]) // processes % self.batch_size or self.batch_size

    def val_dataloader(self) -> Iterable[Any]:
        """The validation batches; none without validation data."""
        return self._evaluation_batches(self.validation) if self.validation else []

    def test_dataloader(self) -> Iterable[Any]:
        """The test batches."""
        return self._evaluation_batches(self.test)

    def transfer_batch_to_device(self, batch: Any, *_: Any) -> Any:
        """The batch itself: it is on the device already, and Lightning would walk through it to find out."""
        return batch

    def _evaluation_batches(self, tensors: Batch) -> EvaluationBatches:
        return EvaluationBatches(self._on_device(tensors), EVALUATION_BATCH_SIZE)

    def _on_device(self, tensors: Batch) -> Batch:
        """The tensors where training wants them; float64 only where it computes so (`--trainer.precision 64-true`)."""
        trainer = self._attached_trainer()
        if not isinstance(trainer.precision_plugin, DoublePrecision):
            tensors = tuple(tensor.float() if tensor.dtype == torch.float64 else tensor for tensor in tensors)
        return tuple(tensor.to(trainer.strategy.root_device) for tensor in tensors)

    def _attached_trainer(self) -> Trainer:
        assert self.trainer is not None, "loaders are asked for by a Trainer"
        return self.trainer
