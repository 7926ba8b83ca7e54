"""What a run has logged and its store has not got yet, on disk: nothing is lost with the process or the network."""

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lit_anndl.runtime.files import write_atomically

_FACTS = "facts.json"
_MAPPINGS = ("parameters", "tags")
"""Facts that are dictionaries; the others are text."""


class Entry(NamedTuple):
    """A metric: name, value, time in milliseconds, epoch."""

    name: str
    value: float
    milliseconds: int
    epoch: int


class Outbox:
    """A folder per run: `metrics.jsonl` (a line per metric), `artifacts/` (for a store elsewhere), `facts.json`.

    Metrics may be appended while another thread delivers them. They are on the disk after `write`.

    Args:
        folder: the run's own folder, made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.artifacts = folder / "artifacts"
        self._lock = threading.Lock()
        self._pending: list[Entry] = []
        self._written = 0

    def append(self, entries: Sequence[Entry]) -> None:
        """Takes metrics, in memory for now."""
        with self._lock:
            self._pending.extend(entries)

    def pending(self) -> list[Entry]:
        """The metrics that have not been delivered."""
        with self._lock:
            return list(self._pending)

    def write(self) -> None:
        """Puts what is pending on the disk; where there is no room, raises OSError and leaves the file as it was."""
        with self._lock:
            if fresh := self._pending[self._written :]:
                lines = "".join(json.dumps(entry) + "\n" for entry in fresh).encode()
                with self._file.open("ab", buffering=0) as file:
                    length = file.tell()
                    try:
                        if file.write(lines) < len(lines):
                            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                        os.fsync(file.fileno())
                    except OSError:
                        file.truncate(length)
                        raise
                self._written = len(self._pending)

    def drop(self, count: int) -> None:
        """Forgets the first so many metrics: they are delivered. The file is emptied when none is left."""
        with self._lock:
            del self._pending[:count]
            self._written = max(0, self._written - count)
            if not self._pending:
                self._file.unlink(missing_ok=True)

    def load(self) -> None:
        """Reads back what an earlier process wrote; a line that it did not finish is no metric."""
        content = self._file.read_bytes() if self._file.exists() else b""
        lines = content.decode(errors="replace").splitlines(keepends=True)
        self._pending = [entry for line in lines if line.endswith("\n") and (entry := _read_entry(line))]
        self._written = len(self._pending)

    def keep(self, wanted: Callable[[Entry], bool]) -> None:
        """Drops the metrics that are not wanted, from memory alone."""
        with self._lock:
            self._pending = [entry for entry in self._pending if wanted(entry)]

    def note(self, **facts: Any) -> None:
        """Writes facts that outlive the process: which store the run is in, how it ended."""
        write_atomically(self.folder / _FACTS, json.dumps({**self.metadata(), **facts}).encode())

    def metadata(self) -> Mapping[str, Any]:
        """The facts noted; none before the first.

        Raises:
            ValueError: the file holds something else.
        """
        try:
            found = json.loads((self.folder / _FACTS).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        if not isinstance(found, dict) or not all(
            isinstance(value, dict if key in _MAPPINGS else str) for key, value in found.items()
        ):
            raise ValueError(f"{_FACTS} does not hold what a run notes")
        return found

    def remove(self) -> None:
        """Deletes the folder: everything is delivered."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _file(self) -> Path:
        return self.folder / "metrics.jsonl"


def _read_entry(line: str) -> Entry | None:
    """The metric of a line, None where a crash has torn it."""
    try:
        name, value, milliseconds, epoch = json.loads(line)
        return Entry(str(name), float(value), int(milliseconds), int(epoch))
    except (ValueError, TypeError):
        return None
