"""Commands as processes of their own, forked from one that has imported what they import.

An interpreter that imports torch, Lightning and MLflow itself takes some ten times as long as a short run. What
differs: all share a seed of hashes, and what was read of the environment on importing; no handlers of `atexit` run.
"""

import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from pkgutil import walk_packages
from shutil import rmtree
from tempfile import mkdtemp
from weakref import finalize

import lit_anndl

_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload([each.name for each in walk_packages(lit_anndl.__path__, "lit_anndl.")])


class ForkedCommand:
    """A process with the part of `subprocess.Popen`'s interface that tests use; its output goes to files.

    Args:
        words: as `python` takes them: `-m MODULE` or `-c CODE`, and the words of its own.
        environment: all of it.
        start_new_session: whether its signals are no other's.
    """

    def __init__(self, *words: str, environment: Mapping[str, str], start_new_session: bool = False) -> None:
        self.args = words
        folder = Path(mkdtemp())
        self._files = [folder / "output", folder / "errors"]
        for file in self._files:
            file.touch()
        self._process = _PROCESSES.Process(
            target=_run, args=(words, dict(environment), Path.cwd(), self._files, start_new_session)
        )
        self._process.start()
        finalize(self, _end, self._process, folder)
        self.pid: int = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self.wait(timeout)
        out, err = (file.read_text() for file in self._files)
        return out, err

    def errors_so_far(self) -> str:
        """What it has written to standard error."""
        return self._files[1].read_text()

    def send_signal(self, signum: int) -> None:
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(self.pid, signum)

    def kill(self) -> None:
        self._process.kill()


def _end(process: BaseProcess, folder: Path) -> None:
    """Leaves nothing behind."""
    process.kill()
    process.join()
    rmtree(folder)


def _run(words: tuple[str, ...], environment: dict[str, str], folder: Path, files: list[Path], session: bool) -> None:
    """What the process does."""
    if session:
        os.setsid()
    for descriptor, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    kind, what, *rest = words
    sys.argv = ["-c" if kind == "-c" else what, *rest]
    if kind == "-m":
        sys.modules.pop(what, None)  # it is to be run as __main__, and runpy warns of what is there already
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(what, {"__name__": "__main__"})
