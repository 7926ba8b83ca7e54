"""Labelled images from the four IDX files in which MNIST and its look-alikes are published."""

import gzip
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lit_anndl.data.digits import idx_format
from lit_anndl.runtime.errors import InputError

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"

SIDE = 28
"""Pixels along either side of an image."""
CLASSES = 10


class DigitArrays(NamedTuple):
    """A data set of labelled images: images uint8 (n, 28, 28), labels int64 (n,) from 0 to 9."""

    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor


def read(directory: Path) -> DigitArrays:
    """Reads the four IDX files of a directory, each as it is or with `.gz` at the end of its name.

    Raises:
        InputError: the directory or a file is missing, a file is no whole IDX file of the expected kind,
            images and labels differ in number, or there are none, or they are not what `DigitArrays` says.
    """
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory (expected one with the four IDX files)")
    return DigitArrays(
        *_read_part(directory, TRAIN_IMAGES, TRAIN_LABELS), *_read_part(directory, TEST_IMAGES, TEST_LABELS)
    )


def _read_part(directory: Path, images_name: str, labels_name: str) -> tuple[torch.Tensor, torch.Tensor]:
    images = _read_file(directory, images_name, 3)
    labels = _read_file(directory, labels_name, 1)
    if fault := _fault(images, images_name, labels, labels_name):
        raise InputError(f"{directory}: {fault}")
    return torch.from_numpy(images), torch.from_numpy(labels).long()


def _fault(images: NDArray[np.uint8], images_name: str, labels: NDArray[np.uint8], labels_name: str) -> str:
    """Why these are not labelled images of ten classes, or an empty text."""
    if len(images) != len(labels):
        return f"{images_name} holds {len(images)} images, {labels_name} {len(labels)} labels (expected as many)"
    if len(images) == 0:
        return f"{images_name} holds no images (expected at least one)"
    if images.shape[1:] != (SIDE, SIDE):
        height, width = images.shape[1:]
        return f"{images_name} holds images of {height}×{width} pixels (expected {SIDE}×{SIDE})"
    if (largest := labels.max()) >= CLASSES:
        return f"{labels_name} holds the label {largest} (expected 0 to {CLASSES - 1})"
    return ""


def _read_file(directory: Path, name: str, dimensions: int) -> NDArray[np.uint8]:
    path = _find(directory, name)
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return idx_format.decode(content, dimensions)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        # An OSError's own text would name the path a second time. ValueError: dimensions too large for numpy.
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _find(directory: Path, name: str) -> Path:
    for path in (directory / name, directory / f"{name}.gz"):
        if path.is_file():
            return path
    raise InputError(f"{directory}: holds neither {name} nor {name}.gz (expected the four IDX files)")
