"""A worker as a process of its own: python -m lit_anndl.studies.process STUDY [DEADLINE] [MAX_FAILURES].

The storage's address comes in LIT_ANNDL_STORAGE, where no list of processes shows its password.
"""

import logging
import sys

from lit_anndl.runtime.command import DONE, Ending, run_command
from lit_anndl.runtime.interruption import Interruption
from lit_anndl.runtime.terminal import quieten
from lit_anndl.studies.database import PATIENCE_SECONDS, StudyDatabase
from lit_anndl.studies.study import load
from lit_anndl.studies.worker import work


def main(name: str, deadline: float | None = None, max_failures: int | None = None) -> int:
    """Works on a study that has been begun; returns the exit code."""
    quieten()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)

    def begin() -> int:
        work(load(name, StudyDatabase(), PATIENCE_SECONDS), deadline, max_failures)
        return DONE

    return run_command("sweep", begin, _said)


def _said(ending: Ending) -> str:
    """What a worker says: whoever started it tells of an interruption."""
    return "" if isinstance(ending, Interruption) else str(ending)


def arguments(name: str, deadline: float | None, max_failures: int) -> list[str]:
    """The words that `main` is started with."""
    return [name, "" if deadline is None else str(deadline), str(max_failures)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]) if sys.argv[2] else None, int(sys.argv[3])))
