"""Signals that wait until training has come to a good place to stop."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from lit_anndl.runtime.interruption import (
    GRACE_SECONDS,
    SIGNALS,
    Interruption,
    handlers,
    raise_once,
    raise_undisturbed,
)
from lit_anndl.runtime.terminal import acknowledge


@contextmanager
def deferring() -> Iterator[None]:
    """Within it signals wait, GRACE_SECONDS at most; the first is raised at the end."""
    deferral = Deferral()
    deferral.start()
    try:
        yield
    finally:
        deferral.stop()
        deferral.raise_pending()


class Deferral:
    """Notes signals instead of raising, so that training can end where it can be resumed exactly.

    It waits no longer than GRACE_SECONDS; after that, or at a second signal, the Interruption is raised anywhere, once.
    """

    def __init__(self) -> None:
        self.pending: Interruption | None = None
        self._active = ExitStack()

    def start(self) -> None:
        """Takes the handlers over."""
        self._active.enter_context(handlers(dict.fromkeys((*SIGNALS, signal.SIGALRM), self._note)))

    def stop(self) -> None:
        """Gives them back; a signal noted until now is kept in `pending`."""
        if self.pending:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self._active.close()

    def raise_pending(self) -> None:
        """Raises the signal noted until now, if there is one."""
        if self.pending:
            raise_undisturbed(self.pending)

    def _note(self, signum: int, _: FrameType | None) -> None:
        if self.pending is None:
            self.pending = Interruption(signum)
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
            acknowledge(f"{self.pending}; the epoch is finished first, once more ends it now")
        else:
            raise_once(self.pending)
