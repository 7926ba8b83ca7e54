import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_anndl.data import idx
from lit_anndl.errors import InputError

IMAGES = np.arange(3 * 2 * 4, dtype=np.uint8).reshape(3, 2, 4)
LABELS = np.array([7, 0, 255], dtype=np.uint8)
CONTENTS = {
    idx.TRAIN_IMAGES: idx.encode(IMAGES),
    idx.TRAIN_LABELS: idx.encode(LABELS),
    idx.TEST_IMAGES: idx.encode(IMAGES[:2]),
    idx.TEST_LABELS: idx.encode(LABELS[:2]),
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
    assert idx.encode(np.array([[1, 2, 3]])) == bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3])


def test_reads_raw_files(directory: Path) -> None:
    arrays = idx.read(directory)
    assert arrays.train_images.dtype == torch.uint8
    assert arrays.train_labels.dtype == torch.int64
    assert arrays.train_images.tolist() == IMAGES.tolist()
    assert arrays.train_labels.tolist() == [7, 0, 255]
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
        pytest.param(idx.encode(LABELS), id="labels for images"),
        pytest.param(b"\0\0\x0d" + idx.encode(IMAGES)[3:], id="floats"),
        pytest.param(idx.encode(IMAGES)[:10], id="half a header"),
    ],
)
def test_not_an_idx_file(directory: Path, content: bytes) -> None:
    (directory / idx.TRAIN_IMAGES).write_bytes(content)
    message = refusal(directory)
    assert str(directory / idx.TRAIN_IMAGES) in message
    assert "no IDX file" in message


@pytest.mark.parametrize(
    ("content", "count"), [(CONTENTS[idx.TRAIN_LABELS] + b"x", 4), (idx.encode(LABELS)[:-1], 2)]
)
def test_size_disagrees_with_header(directory: Path, content: bytes, count: int) -> None:
    (directory / idx.TRAIN_LABELS).write_bytes(content)
    assert f"its header announces 3 values, it has {count}" in refusal(directory)


def test_images_and_labels_differ_in_number(directory: Path) -> None:
    (directory / idx.TEST_LABELS).write_bytes(idx.encode(LABELS))
    assert f"{idx.TEST_IMAGES} holds 2 images, {idx.TEST_LABELS} 3 labels" in refusal(directory)


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(CONTENTS[idx.TRAIN_IMAGES])[:-9]])
def test_broken_compressed_file(directory: Path, content: bytes) -> None:
    (directory / idx.TRAIN_IMAGES).unlink()
    (directory / f"{idx.TRAIN_IMAGES}.gz").write_bytes(content)
    assert f"{idx.TRAIN_IMAGES}.gz" in refusal(directory)
