"""Freed memory is used again, seen by the pages that the kernel has to clear."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import torch
from lit_anndl.runtime.heap import keep_freed_memory, return_freed_memory

if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit("no glibc")
torch.set_num_threads(1)
for repetition in range(40):
    if repetition == 20:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = torch.ones(int(sys.argv[2]) << 20, dtype=torch.uint8)  # above 32 MiB glibc asks the kernel each time
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
if sys.argv[1] == "kept":
    pages = lambda: int(open("/proc/self/statm").read().split()[1])
    held = pages()
    return_freed_memory()
    print(held - pages())
"""


def numbers(how: str, mebibytes: int = 40) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how, str(mebibytes)], capture_output=True, text=True, check=False
    )
    if "no glibc" in done.stderr:
        pytest.skip("no glibc")
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


def test_freed_memory_is_used_again_until_it_is_handed_back() -> None:
    (without,) = numbers("as ever")
    faults, returned = numbers("kept")
    assert faults < 100 < without
    assert returned > 1000  # pages of 4 KiB


def test_large_blocks_are_handed_back_at_once() -> None:
    faults, _ = numbers("kept", 300)
    assert faults > 1000
