"""Ctrl-C, SIGTERM and the like as an exception."""

import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from lit_anndl.runtime.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Ctrl-C, a terminal that is closed, and what clusters send before they take the machine away."""
GRACE_SECONDS = 10.0
"""How long training may go on to a good place to stop; clusters kill half a minute after SIGTERM."""
_AGAIN_SECONDS = 0.05
"""After which a signal that came where Python lets nothing through is sent again."""


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
    with handlers(dict.fromkeys(SIGNALS, _raise_interruption)) as before, _sending_lost_ones_again():
        try:
            yield
        finally:
            if _raised and _is_command():
                before.update(dict.fromkeys(before, signal.SIG_IGN))


@contextmanager
def _sending_lost_ones_again() -> Iterator[None]:
    """Within it an Interruption that is raised in `__del__` or a weak reference's callback is raised again, elsewhere.

    Python reports what is raised there, and goes on as if nothing had been.
    """
    if not is_main_thread():
        yield
        return
    report = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if not isinstance(unraisable.exc_value, Interruption):
            report(unraisable)
            return
        _raised.clear()
        main = threading.main_thread().ident  # this thread is to get it, for what it waits for is to end
        again = threading.Timer(_AGAIN_SECONDS, signal.pthread_kill, (main, unraisable.exc_value.signum))
        again.daemon = True
        again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = report


def _is_command() -> bool:
    """Whether this process was started as `python -m lit_anndl.…`."""
    return (getattr(sys.modules["__main__"], "__package__", "") or "").startswith("lit_anndl")


_raised: list[float] = []
"""When Interruptions were raised in this process, on the monotonic clock."""


def _raise_interruption(signum: int, _: FrameType | None = None) -> None:
    """Handles a signal by raising, unless one has been raised just now."""
    raise_once(Interruption(signum))


def raise_once(interruption: Interruption) -> None:
    """Raises an Interruption, unless one is being dealt with."""
    if not _raised or time.monotonic() - _raised[-1] > GRACE_SECONDS:
        raise_undisturbed(interruption)


def raise_undisturbed(interruption: Interruption) -> NoReturn:
    """Raises an Interruption, and has signals ignored while it is dealt with."""
    _raised.append(time.monotonic())
    raise interruption


@contextmanager
def handlers(wanted: Mapping[int, Any]) -> Iterator[dict[int, Any]]:
    """Signal handlers for a while; yields those that are put back. `nohup` keeps its word: what it ignores stays so."""
    if not is_main_thread():
        wanted = {}
    kept = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else []
    before = {signum: signal.signal(signum, handler) for signum, handler in wanted.items() if signum not in kept}
    try:
        yield before
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def is_main_thread() -> bool:
    """Whether this is the thread that gets signals."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def ignoring_signals() -> Iterator[None]:
    """Within it, what is done because of one signal is not disturbed by another."""
    with handlers(dict.fromkeys(SIGNALS, signal.SIG_IGN)):
        yield
