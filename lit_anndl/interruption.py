"""Ctrl-C and SIGTERM as an exception, at a moment that suits."""

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_SECONDS = 10.0
"""How long training may go on to a good place to stop; clusters kill half a minute after SIGTERM."""


class Interruption(BaseException):
    """The user or the cluster asks the process to end; no failure, so no Exception."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + self.signum


def raise_interruption(signum: int, _: FrameType | None) -> None:
    """Handles a signal by raising at once."""
    raise Interruption(signum)


def raise_on_signals() -> None:
    """From here on a signal raises an Interruption."""
    for signum in SIGNALS:
        signal.signal(signum, raise_interruption)


class Deferral:
    """Notes signals instead of raising, so that training can end where it can be resumed exactly.

    It waits no longer than GRACE_SECONDS; after that, or at a second signal, the Interruption is raised anywhere.
    Outside the main thread, which alone receives signals, it does nothing.
    """

    def __init__(self) -> None:
        self.pending: Interruption | None = None
        self._before: dict[int, Any] = {}

    def start(self) -> None:
        """Takes the handlers over."""
        if threading.current_thread() is threading.main_thread():
            self._before = {signum: signal.signal(signum, self._note) for signum in (*SIGNALS, signal.SIGALRM)}

    def stop(self) -> None:
        """Gives them back; a signal noted until now is kept in `pending`."""
        if self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before = {}

    def _note(self, signum: int, _: FrameType | None) -> None:
        if self.pending is None:
            self.pending = Interruption(signum)
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
        else:
            raise self.pending
