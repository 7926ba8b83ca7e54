"""The IDX format for arrays of unsigned bytes.

A file is two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a
big-endian 32-bit integer, and the values.
"""

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_anndl.runtime.errors import InputError

_UNSIGNED_BYTE = 8


def encode(array: NDArray[Any]) -> bytes:
    """The content of the IDX file that holds this array of numbers from 0 to 255."""
    header = struct.pack(f">HBB{array.ndim}I", 0, _UNSIGNED_BYTE, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def decode(content: bytes, dimensions: int) -> NDArray[np.uint8]:
    """The array that an IDX file of so many dimensions holds.

    Raises:
        InputError: the header is another one, or announces another size than the content has.
    """
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != struct.pack(">HBB", 0, _UNSIGNED_BYTE, dimensions):
        raise InputError(f"no IDX file of unsigned bytes in {dimensions} dimension(s)")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise InputError(f"its header announces {math.prod(shape)} values, it has {len(content) - start}")
    # A copy, because torch wants memory it may write to.
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
