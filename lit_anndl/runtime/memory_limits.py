"""How much memory there is to work with."""

import re
from pathlib import Path

import torch

_MEMINFO = Path("/proc/meminfo")


def available_bytes(device: torch.device) -> int | None:
    """The bytes that a device has free now, of the CPU the machine's; None where that is not known."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    found = re.search(r"MemAvailable:\s*(\d+) kB", _MEMINFO.read_text()) if _MEMINFO.exists() else None
    return 1024 * int(found[1]) if found else None
