"""How much memory there is to work with."""

import re
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")


def available_bytes() -> int | None:
    """The bytes of this machine's memory that are free now; None where that is not known."""
    found = re.search(r"MemAvailable:\s*(\d+) kB", _MEMINFO.read_text()) if _MEMINFO.exists() else None
    return 1024 * int(found[1]) if found else None
