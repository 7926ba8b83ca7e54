"""A worker as a process of its own: python -m lit_anndl.studies.process STUDY [DEADLINE] [MAX_FAILURES].

The storage's address comes in LIT_ANNDL_STORAGE, where no list of processes shows its password.
"""

import logging
import signal
import sys

from lit_anndl.runtime.errors import InputError, RunFailure
from lit_anndl.runtime.interruption import Interruption, raising_on_signals
from lit_anndl.runtime.liveness import end_with_parent
from lit_anndl.runtime.terminal import FAILURE, WRONG_INPUT, quieten
from lit_anndl.studies.database import PATIENCE_SECONDS, StudyDatabase
from lit_anndl.studies.study import load
from lit_anndl.studies.worker import work


def main(name: str, deadline: float | None = None, max_failures: int | None = None) -> int:
    """Works on a study that has been begun; returns the exit code."""
    quieten()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        with raising_on_signals():
            work(load(name, StudyDatabase(), PATIENCE_SECONDS), deadline, max_failures)
    except InputError as error:
        print(f"sweep: {error}", file=sys.stderr)
        return WRONG_INPUT
    except RunFailure as error:
        print(f"sweep: {error}", file=sys.stderr)
        return FAILURE
    except Interruption as interruption:
        return interruption.exit_code
    return 0


def arguments(name: str, deadline: float | None, max_failures: int) -> list[str]:
    """The words that `main` is started with."""
    return [name, "" if deadline is None else str(deadline), str(max_failures)]


if __name__ == "__main__":
    end_with_parent(signal.SIGTERM)
    sys.exit(main(sys.argv[1], float(sys.argv[2]) if sys.argv[2] else None, int(sys.argv[3])))
