"""How a process that has died is told from a living one, whose runs and trials are left alone."""

import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LONGEST_PID = 9
STALE_SECONDS = 120.0
"""A process that is known by its heartbeats alone has died if the last one is older."""


def process_tags() -> dict[str, str]:
    """Tags by which a dead process is told from a living one."""
    return {"host": host(), "process": process(os.getpid()), "heartbeat": str(time.time())}


def has_died(tags: Mapping[str, str]) -> bool:
    """Whether the process that tagged a run is gone; what is not tagged by this project is left alone.

    Of a process of another machine, or one of which it is not told when it started, the last heartbeat decides.
    """
    pid = tags.get("process", "").partition("@")[0]
    if not {"host", "process", "heartbeat"} <= tags.keys() or not pid.isdecimal() or len(pid) > _LONGEST_PID:
        return False
    if tags["host"] == host():
        now = process(int(pid))
        if now in ("", tags["process"]) or not (now.endswith("@") or tags["process"].endswith("@")):
            return now != tags["process"]
    try:
        return time.time() - float(tags["heartbeat"]) > STALE_SECONDS
    except ValueError:
        return False


def is_own(tags: Mapping[str, str]) -> bool:
    """Whether it is this process that tagged something."""
    own = process_tags()
    return all(tags.get(key) == own[key] for key in ("host", "process"))


def end_with_parent(signum: int = signal.SIGTERM) -> None:
    """Has Linux send this process a signal when the one that started it is gone; also before a program is begun."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signum)


@cache
def host() -> str:
    """This machine since it was started, or this container, for processes are numbered anew in each."""
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    parts = [socket.gethostname()]
    parts += [boot.read_text()[:8]] if boot.exists() else []
    parts += [namespace.readlink().name.strip("pid:[]")] if namespace.is_symlink() else []
    return " ".join(parts)


def process(pid: int) -> str:
    """A process of this machine as PID@START, or PID@ where its start is not told; empty if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # no /proc, or others' processes are hidden there
        return f"{pid}@" if _exists(pid) else ""
    if fields[0] == "Z":  # ended, and its parent has not asked how
        return ""
    return f"{pid}@{fields[19]}"


def _exists(pid: int) -> bool:
    """Whether a process could be sent a signal, if it were ours."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
