"""How a process that has died is told from a living one, whose runs and trials are left alone."""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

STALE_SECONDS = 120.0
"""A process of another machine whose last heartbeat is older has died."""


def process_tags() -> dict[str, str]:
    """Tags by which a dead process is told from a living one."""
    return {"host": socket.gethostname(), "process": process(os.getpid()), "heartbeat": str(time.time())}


def has_died(tags: Mapping[str, str]) -> bool:
    """Whether the process that tagged a run is gone; what is not tagged by this project is left alone."""
    pid = tags.get("process", "").partition("@")[0]
    if not {"host", "process", "heartbeat"} <= tags.keys() or not pid.isdecimal():
        return False
    if tags["host"] == socket.gethostname():
        return tags["process"] != process(int(pid))
    return time.time() - float(tags["heartbeat"]) > STALE_SECONDS


def process(pid: int) -> str:
    """A process of this machine as PID@START, where the system tells when it started; empty if there is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    status = Path(f"/proc/{pid}/stat")
    fields = status.read_text().rpartition(")")[2].split() if status.exists() else []
    if fields[:1] == ["Z"]:  # ended, and its parent has not asked how
        return ""
    return f"{pid}@{fields[19] if fields else ''}"
