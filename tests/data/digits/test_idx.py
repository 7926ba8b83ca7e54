import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lit_anndl.data.digits import idx, idx_format
from lit_anndl.runtime.errors import InputError

IMAGES = (np.arange(3 * 28 * 28) % 256).astype(np.uint8).reshape(3, 28, 28)
LABELS = np.array([7, 0, 9], dtype=np.uint8)
CONTENTS = {
    idx.TRAIN_IMAGES: idx_format.encode(IMAGES),
    idx.TRAIN_LABELS: idx_format.encode(LABELS),
    idx.TEST_IMAGES: idx_format.encode(IMAGES[:2]),
    idx.TEST_LABELS: idx_format.encode(LABELS[:2]),
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, content in CONTENTS.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def refusal(directory: Path) -> str:
    with pytest.raises(InputError) as caught:
        idx.read(directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_encodes_as_the_format_says() -> None:
    assert idx_format.encode(np.array([[1, 2, 3]])) == bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3])


def test_reads_raw_files(directory: Path) -> None:
    arrays = idx.read(directory)
    assert arrays.train_images.dtype == torch.uint8
    assert arrays.train_labels.dtype == torch.int64
    assert arrays.train_images.tolist() == IMAGES.tolist()
    assert arrays.train_labels.tolist() == [7, 0, 9]
    assert arrays.test_images.tolist() == IMAGES[:2].tolist()
    assert arrays.test_labels.tolist() == [7, 0]


def test_reads_compressed_files(directory: Path) -> None:
    expected = idx.read(directory)
    for name, content in CONTENTS.items():
        (directory / name).unlink()
        (directory / f"{name}.gz").write_bytes(gzip.compress(content))
    for read, written in zip(idx.read(directory), expected, strict=True):
        assert torch.equal(read, written)


def test_missing_directory(tmp_path: Path) -> None:
    assert f"{tmp_path / 'absent'}: no such directory" in refusal(tmp_path / "absent")


def test_missing_file(directory: Path) -> None:
    (directory / idx.TEST_LABELS).unlink()
    message = refusal(directory)
    assert idx.TEST_LABELS in message
    assert str(directory) in message


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>not found</html>", id="web page"),
        pytest.param(idx_format.encode(LABELS), id="labels for images"),
        pytest.param(b"\0\0\x0d" + idx_format.encode(IMAGES)[3:], id="floats"),
        pytest.param(idx_format.encode(IMAGES)[:10], id="half a header"),
    ],
)
def test_not_an_idx_file(directory: Path, content: bytes) -> None:
    (directory / idx.TRAIN_IMAGES).write_bytes(content)
    message = refusal(directory)
    assert str(directory / idx.TRAIN_IMAGES) in message
    assert "no IDX file" in message


@pytest.mark.parametrize(
    ("content", "count"), [(CONTENTS[idx.TRAIN_LABELS] + b"x", 4), (idx_format.encode(LABELS)[:-1], 2)]
)
def test_size_disagrees_with_header(directory: Path, content: bytes, count: int) -> None:
    (directory / idx.TRAIN_LABELS).write_bytes(content)
    assert f"its header announces 3 values, it has {count}" in refusal(directory)


def test_images_and_labels_differ_in_number(directory: Path) -> None:
    (directory / idx.TEST_LABELS).write_bytes(idx_format.encode(LABELS))
    assert f"{idx.TEST_IMAGES} holds 2 images, {idx.TEST_LABELS} 3 labels" in refusal(directory)


@pytest.mark.parametrize(
    ("images", "expectation"),
    [
        (IMAGES[:, :27], f"{idx.TRAIN_IMAGES} holds images of 27×28 pixels (expected 28×28)"),
        (IMAGES.transpose(1, 2, 0)[:3], f"{idx.TRAIN_IMAGES} holds images of 28×3 pixels (expected 28×28)"),
        (IMAGES[:, :0], f"{idx.TRAIN_IMAGES} holds images of 0×28 pixels (expected 28×28)"),
    ],
)
def test_images_of_another_size(directory: Path, images: NDArray[np.uint8], expectation: str) -> None:
    (directory / idx.TRAIN_IMAGES).write_bytes(idx_format.encode(images))
    assert refusal(directory) == f"{directory}: {expectation}"


@pytest.mark.parametrize("label", [10, 255])
def test_labels_of_no_class(directory: Path, label: int) -> None:
    (directory / idx.TEST_LABELS).write_bytes(idx_format.encode(np.array([3, label])))
    assert refusal(directory) == f"{directory}: {idx.TEST_LABELS} holds the label {label} (expected 0 to 9)"


@pytest.mark.parametrize("part", ["train", "t10k"])
def test_no_images(directory: Path, part: str) -> None:
    images, labels = (name for name in CONTENTS if name.startswith(part))
    (directory / images).write_bytes(idx_format.encode(IMAGES[:0]))
    (directory / labels).write_bytes(idx_format.encode(LABELS[:0]))
    assert refusal(directory) == f"{directory}: {images} holds no images (expected at least one)"


def test_dimensions_too_large_for_memory(directory: Path) -> None:
    header = bytes([0, 0, 8, 3, 0, 0, 0, 0, *[255] * 8])
    (directory / idx.TRAIN_IMAGES).write_bytes(header)
    assert str(directory / idx.TRAIN_IMAGES) in refusal(directory)


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(CONTENTS[idx.TRAIN_IMAGES])[:-9]])
def test_broken_compressed_file(directory: Path, content: bytes) -> None:
    (directory / idx.TRAIN_IMAGES).unlink()
    (directory / f"{idx.TRAIN_IMAGES}.gz").write_bytes(content)
    assert f"{idx.TRAIN_IMAGES}.gz" in refusal(directory)
