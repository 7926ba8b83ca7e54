"""Ctrl-C, SIGTERM and the like as an exception, at a moment that suits."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, NoReturn

from lit_anndl.runtime.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Ctrl-C, and what clusters send before they take the machine away."""
GRACE_SECONDS = 10.0
"""How long training may go on to a good place to stop; clusters kill half a minute after SIGTERM."""
_STDERR = 2


class Interruption(Stopped):
    """The user or the cluster asks the process to end."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after SIGTERM, 128 + signal in general."""
        return 128 + self.signum


@contextmanager
def raising_on_signals() -> Iterator[None]:
    """Within it a signal raises an Interruption; outside the main thread, which alone gets signals, nothing changes.

    What is done because of an Interruption is done undisturbed: further signals are ignored for GRACE_SECONDS, and
    in a process that is one of our commands for good.
    """
    _raised.clear()
    with handlers(dict.fromkeys(SIGNALS, _raise_interruption)) as before:
        try:
            yield
        finally:
            if _raised and _is_command():
                before.update(dict.fromkeys(before, signal.SIG_IGN))


def _is_command() -> bool:
    """Whether this process was started as `python -m lit_anndl.…`."""
    return (getattr(sys.modules["__main__"], "__package__", "") or "").startswith("lit_anndl")


_raised: list[float] = []
"""When Interruptions were raised in this process, on the monotonic clock."""


def _raise_interruption(signum: int, _: FrameType | None = None) -> None:
    """Handles a signal by raising, unless one has been raised just now."""
    _raise_once(Interruption(signum))


def _raise_once(interruption: Interruption) -> None:
    """Raises an Interruption, unless one is being dealt with."""
    if not _raised or time.monotonic() - _raised[-1] > GRACE_SECONDS:
        raise_undisturbed(interruption)


def raise_undisturbed(interruption: Interruption) -> NoReturn:
    """Raises an Interruption, and has signals ignored while it is dealt with."""
    _raised.append(time.monotonic())
    raise interruption


@contextmanager
def handlers(wanted: Mapping[int, Any]) -> Iterator[dict[int, Any]]:
    """Signal handlers for a while; yields those that are put back."""
    if not _is_main_thread():
        wanted = {}
    before = {signum: signal.signal(signum, handler) for signum, handler in wanted.items()}
    try:
        yield before
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def deferring() -> Iterator[None]:
    """Within it signals wait, GRACE_SECONDS at most; the first is raised at the end. Other threads get no signals."""
    if not _is_main_thread():
        yield
        return
    deferral = Deferral()
    deferral.start()
    try:
        yield
    finally:
        deferral.stop()
        deferral.raise_pending()


@contextmanager
def ignoring_signals() -> Iterator[None]:
    """Within it, what is done because of one signal is not disturbed by another."""
    with handlers(dict.fromkeys(SIGNALS, signal.SIG_IGN)):
        yield


def acknowledge(message: str) -> None:
    """Tells who sits at a terminal that a signal was heard; safe within a handler."""
    if os.isatty(_STDERR):
        os.write(_STDERR, f"\n{message}\n".encode())


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
        if _is_main_thread():
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
            _raise_once(self._noted)


_in_main_thread: list[Deferral] = []
"""Those of the main thread that are active, the latest last."""
