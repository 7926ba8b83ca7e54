import dataclasses
import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lit_anndl.data.digits import dataset_files, idx, idx_format
from lit_anndl.data.digits.dataset_files import DATASETS, Dataset, data_directory, fetch
from lit_anndl.data.digits.idx import read
from lit_anndl.data.digits.mirrors import Mirrors
from lit_anndl.data.digits.sources import Source
from lit_anndl.runtime.errors import InputError

CONTENTS = {
    idx.TRAIN_IMAGES: idx_format.encode(np.arange(3 * 784).reshape(3, 28, 28)),
    idx.TRAIN_LABELS: idx_format.encode(np.arange(3)),
    idx.TEST_IMAGES: idx_format.encode(np.zeros((2, 28, 28))),
    idx.TEST_LABELS: idx_format.encode(np.arange(2)),
}
Offer = Callable[..., None]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(folder: Path, contents: dict[str, bytes] = CONTENTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def works(folder: Path) -> None:
    put(folder)


def is_down(folder: Path) -> None:
    raise ConnectionError("Connection\nrefused")


def must_not_be_asked(*_: object) -> None:
    raise AssertionError("a source was asked")


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Makes "mnist" the tiny data set, with these sources, named after their functions."""

    def install(*offered: Source) -> None:
        digests = {name: sha256(content) for name, content in CONTENTS.items()}
        monkeypatch.setitem(DATASETS, "mnist", Dataset("MNIST", digests, lambda: Mirrors([], [])))
        named = [(getattr(source, "__name__", ""), source) for source in offered]
        monkeypatch.setattr(dataset_files, "in_turn", lambda mirrors, wheel: named)

    return install


def refusal(root: Path, name: str = "mnist") -> str:
    with pytest.raises(InputError) as caught:
        fetch(name, root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_directory_is_the_variable_else_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIT_ANNDL_DATA", "/somewhere")
    assert data_directory() == Path("/somewhere")
    monkeypatch.setenv("LIT_ANNDL_DATA", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert data_directory() == Path("/cache/lit_anndl")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert data_directory() == Path("/home/someone/.cache/lit_anndl")


def test_no_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for variable in ("LIT_ANNDL_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(InputError, match="LIT_ANNDL_DATA"):
        data_directory()


def test_unknown_name(tmp_path: Path) -> None:
    assert refusal(tmp_path, "cifar") == "cifar: no such data set (expected one of: mnist, fashion)"


def test_verified_files_are_used_without_source_or_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offer: Offer
) -> None:
    offer(must_not_be_asked)
    monkeypatch.setitem(DATASETS, "mnist", dataclasses.replace(DATASETS["mnist"], mirrors=must_not_be_asked))
    monkeypatch.setattr(dataset_files, "FileLock", must_not_be_asked)
    raw = put(tmp_path / "MNIST" / "raw")
    monkeypatch.setenv("LIT_ANNDL_DATA", str(tmp_path))
    assert fetch("mnist") == raw


def test_read_only_directory_that_is_complete(tmp_path: Path, offer: Offer) -> None:
    offer(must_not_be_asked)
    raw = put(tmp_path / "MNIST" / "raw")
    for folder in (raw, raw.parent, tmp_path):
        folder.chmod(0o555)
    try:
        assert fetch("mnist", tmp_path) == raw
    finally:
        for folder in (tmp_path, raw.parent, raw):
            folder.chmod(0o755)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_directory_that_is_not_complete(tmp_path: Path, offer: Offer) -> None:
    offer(works)
    tmp_path.chmod(0o555)
    message = refusal(tmp_path)
    assert f"data directory {tmp_path} cannot be used (Permission denied)" in message
    assert "LIT_ANNDL_DATA" in message


def test_directory_that_cannot_be_created(tmp_path: Path, offer: Offer) -> None:
    offer(works)
    (tmp_path / "file").touch()
    message = refusal(tmp_path / "file" / "data")
    assert f"data directory {tmp_path / 'file' / 'data'} cannot be used (Not a directory)" in message
    assert "LIT_ANNDL_DATA" in message


def test_fetches_from_the_first_source_that_works(tmp_path: Path, offer: Offer) -> None:
    offer(is_down, works, must_not_be_asked)
    raw = fetch("mnist", tmp_path / "data")
    assert raw == tmp_path / "data" / "MNIST" / "raw"
    assert contents_of(raw) == CONTENTS
    assert read(raw).train_labels.tolist() == [0, 1, 2]
    assert [path.name for path in raw.parent.iterdir()] == ["raw"]


@pytest.mark.parametrize("keep", [slice(0, 20), slice(0, 0), slice(1, None)])
def test_altered_files_are_named_and_replaced(
    tmp_path: Path, offer: Offer, caplog: pytest.LogCaptureFixture, keep: slice
) -> None:
    offer(works)
    raw = put(tmp_path / "data" / "MNIST" / "raw")
    broken = raw / idx.TEST_IMAGES
    broken.write_bytes(CONTENTS[idx.TEST_IMAGES][keep])
    with caplog.at_level(logging.WARNING):
        fetch("mnist", tmp_path / "data")
    assert caplog.messages == [f"{broken}: SHA-256 differs, fetching it anew"]
    assert contents_of(raw) == CONTENTS


@pytest.mark.parametrize(
    ("delivered", "fault"),
    [
        (CONTENTS | {idx.TRAIN_LABELS: idx_format.encode(np.zeros(3))}, f"{idx.TRAIN_LABELS}: SHA-256 differs"),
        ({idx.TRAIN_LABELS: CONTENTS[idx.TRAIN_LABELS]}, f"{idx.TRAIN_IMAGES}: missing"),
    ],
)
def test_what_is_not_as_published_never_arrives(
    tmp_path: Path, offer: Offer, delivered: dict[str, bytes], fault: str
) -> None:
    offer(lambda folder: put(folder, delivered))
    assert fault in refusal(tmp_path / "data")
    assert contents_of(tmp_path / "data" / "MNIST" / "raw") == {}
    assert [path.name for path in (tmp_path / "data" / "MNIST").iterdir()] == ["raw"]


def test_every_source_and_the_ways_out_are_named(tmp_path: Path, offer: Offer) -> None:
    def breaks(folder: Path) -> None:
        raise ValueError

    offer(is_down, breaks)
    message = refusal(tmp_path / "data")
    assert "is_down: Connection refused; breaks: ValueError" in message
    assert str(tmp_path / "data" / "MNIST" / "raw") in message
    assert "LIT_ANNDL_DATA" in message
    assert "--data.directory DIR" in message


def test_long_reasons_are_cut(tmp_path: Path, offer: Offer) -> None:
    def talks(folder: Path) -> None:
        raise ValueError(10_000 * "word ")

    offer(talks)
    assert len(refusal(tmp_path / "data")) < 1000


def test_fashion_names_debians_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = dataclasses.replace(DATASETS["fashion"], mirrors=lambda: Mirrors([], []))
    monkeypatch.setitem(DATASETS, "fashion", nowhere)
    assert "dataset-fashion-mnist" in refusal(tmp_path, "fashion")


CHILD = """
import hashlib, sys, time
from pathlib import Path
from lit_anndl.data.digits import dataset_files

root, log = map(Path, sys.argv[1:])
contents = {name: name.encode() for name in dataset_files.DATASETS["mnist"].digests}

def source(folder):
    with log.open("a") as file:
        file.write("asked ")
    time.sleep(0.2)
    for name, content in contents.items():
        (folder / name).write_bytes(content)

digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
dataset_files.DATASETS["mnist"] = dataset_files.Dataset("MNIST", digests, lambda: dataset_files.Mirrors([], []))
dataset_files.in_turn = lambda mirrors, wheel: [("source", source)]
print(dataset_files.fetch("mnist", root))
"""


def test_several_processes_at_once_fetch_once(tmp_path: Path) -> None:
    root, log = tmp_path / "data", tmp_path / "log"
    command = [sys.executable, "-c", CHILD, str(root), str(log)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [child.communicate(timeout=60)[0].strip() for child in children]
    assert outputs == [str(root / "MNIST" / "raw")] * 4
    assert log.read_text() == "asked "


def test_published_mnist() -> None:
    """The real files, in the user's data directory; the first run fetches them."""
    raw = fetch("mnist")
    digests = {name: sha256(content) for name, content in contents_of(raw).items()}
    assert digests.items() >= dict(DATASETS["mnist"].digests).items()
    arrays = read(raw)
    assert arrays.train_images.shape == (60_000, 28, 28)
    assert arrays.test_images.shape == (10_000, 28, 28)
    assert arrays.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert arrays.test_labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
