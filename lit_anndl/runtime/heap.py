"""Freed memory that the process keeps, for its next tensor of that size."""

import ctypes
import sys
from collections.abc import Callable
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of settings in glibc's malloc.h
_LARGEST = 2**31 - 1
_LARGEST_KEPT, _OLDER_BOUND = 2**27, 2**25


def keep_freed_memory() -> bool:
    """Lets this process reuse the memory of tensors that are freed; returns whether the C library can.

    By default glibc hands a block of some megabytes back to the kernel, which clears each page of it when the next
    tensor asks for one: a third of a training step of a small convolutional network, and the system's time beside it.
    Blocks over 128 MiB are handed back as ever: a small tensor that comes to lie in a large free block keeps the next
    large one out, so that the process would grow by a large block each time.
    """
    mallopt = _of_c_library("mallopt")
    if mallopt is None:
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _LARGEST)) and any(
        mallopt(_MMAP_THRESHOLD, size) for size in (_LARGEST_KEPT, _OLDER_BOUND)
    )


def return_freed_memory() -> None:
    """Hands what is free back to the kernel, once."""
    if (trim := _of_c_library("malloc_trim")) is not None:
        trim(0)


def _of_c_library(name: str) -> Callable[..., Any] | None:
    """A function of glibc, None where another C library is in use."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
