"""Signals as exceptions."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from lit_anndl.runtime.interruption import Interruption, raising_on_signals


@pytest.fixture
def hang_up() -> Iterator[None]:
    """Puts the handler of a terminal that is closed back."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_closed_terminal_ends_a_command(hang_up: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with pytest.raises(Interruption) as caught, raising_on_signals():
        os.kill(os.getpid(), signal.SIGHUP)
    assert caught.value.exit_code == 129
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_what_nohup_ignores_stays_ignored(hang_up: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with raising_on_signals():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


class _SignalledAtItsEnd:
    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.001)  # signals are handled between two instructions


def test_no_signal_is_lost_that_comes_as_an_object_ends() -> None:
    with pytest.raises(Interruption) as caught, raising_on_signals():
        held = _SignalledAtItsEnd()
        del held
        time.sleep(10)
    assert caught.value.signum == signal.SIGTERM
