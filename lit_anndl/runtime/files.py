"""Files that are whole whatever happens while they are written."""

import os
import threading
from pathlib import Path

TEMPORARY = ".new"
"""How the names of files end that are being written; each writer has its own."""


def write_atomically(path: Path, content: bytes) -> None:
    """Puts content on the disk under a name that stands, at any moment, for the old content or for the new one.

    Raises:
        OSError: there is no room, for instance; the old content is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def link_atomically(existing: Path, path: Path) -> None:
    """Makes a name stand for an existing file of the same folder, too, at any moment for that or for what it stood for.

    After a power cut it may stand for the latter again. Where files have but one name, it becomes a copy.

    Raises:
        OSError: there is no room for a copy, for instance; the old content is still there.
    """
    temporary = _beside(path)
    try:
        os.link(existing, temporary)
    except OSError:  # not on every file system
        write_atomically(path, existing.read_bytes())
        return
    try:
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # a rename to another name of the same file leaves both


def remove_unfinished(folder: Path) -> None:
    """Removes what killed processes were writing in a folder and those below it."""
    for path in folder.rglob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """The name of a file that is being written, of one writer's own."""
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}{TEMPORARY}")


def _sync_folder(folder: Path) -> None:
    """Puts the names in a folder on the disk, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
