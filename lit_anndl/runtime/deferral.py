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
    is_main_thread,
    raise_once,
    raise_undisturbed,
)
from lit_anndl.runtime.terminal import acknowledge


@contextmanager
def deferring() -> Iterator[None]:
    """Within it signals wait, GRACE_SECONDS at most; the first is raised at the end. Other threads get no signals."""
    if not is_main_thread():
        yield
        return
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
    In another thread than the main one it knows what the main thread's has noted.
    """

    def __init__(self) -> None:
        self._noted: Interruption | None = None
        self._main: Deferral | None = None
        self._active = ExitStack()

    @property
    def pending(self) -> Interruption | None:
        """The signal that waits, or has waited until the end."""
        return self._main.pending if self._main else self._noted

    def start(self) -> None:
        """Takes the handlers over."""
        if is_main_thread():
            self._active.enter_context(handlers(dict.fromkeys((*SIGNALS, signal.SIGALRM), self._note)))
            _in_main_thread.append(self)
            self._active.callback(_in_main_thread.remove, self)
        else:
            self._main = _in_main_thread[-1] if _in_main_thread else None

    def stop(self) -> None:
        """Gives them back; a signal noted until now is kept in `pending`."""
        if self._noted:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self._active.close()

    def raise_pending(self) -> None:
        """Raises the signal noted until now, if there is one."""
        if self.pending:
            raise_undisturbed(self.pending)

    def _note(self, signum: int, _: FrameType | None) -> None:
        if self._noted is None:
            self._noted = Interruption(signum)
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
            acknowledge(f"{self._noted}; the epoch is finished first, once more ends it now")
        else:
            raise_once(self._noted)


_in_main_thread: list[Deferral] = []
"""Those of the main thread that are active, the latest last."""
