"""Mirrors of the digit files on the internet, as torchvision knows them."""

import contextlib
import gzip
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_TIMEOUT = 5.0


class Mirrors(NamedTuple):
    """Servers of one data set: base addresses, and the name and MD5 of each `.gz` file under them."""

    addresses: list[str]
    archives: list[tuple[str, str]]


def torchvision_mirrors(class_name: str) -> Mirrors:
    """The mirrors that torchvision knows for one of its data sets."""
    import torchvision.datasets  # here, because it takes about a second and is seldom needed

    dataset = getattr(torchvision.datasets, class_name)
    return Mirrors(dataset.mirrors, dataset.resources)


def download_archives(address: str, archives: list[tuple[str, str]], folder: Path) -> None:
    """Downloads the archives of a mirror into a folder and unpacks them there."""
    from torchvision.datasets.utils import download_url

    with _socket_timeout(_TIMEOUT):
        for name, md5 in archives:
            download_url(address + name, folder, name, md5)
            content = gzip.decompress((folder / name).read_bytes())
            (folder / name.removesuffix(".gz")).write_bytes(content)


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """Limits how long a silent server is waited for: torchvision's downloads take no timeout themselves."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
