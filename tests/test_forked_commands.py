"""Forked commands are like those of an interpreter of their own."""

import os
import signal
import subprocess

import pytest

from tests.support.forked import ForkedCommand
from tests.support.processes import start_code


def test_words_output_and_exit_code(store_uri):
    process = start_code(
        "import os, sys; print(sys.argv, os.environ['A']); sys.exit('wrong')", "one", store=store_uri, A="b"
    )
    assert process.communicate(30) == ("['-c', 'one'] b\n", "wrong\n")
    assert process.returncode == process.poll() == 1


def test_it_has_imported_what_commands_need(store_uri):
    assert start_code("import sys; print('torch' in sys.modules)", store=store_uri).communicate(60)[0] == "True\n"


def test_signals_end_it(store_uri):
    process = start_code("import time; time.sleep(100)", store=store_uri)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == -signal.SIGTERM
    process.send_signal(signal.SIGTERM)  # too late, and no error


def test_what_is_forgotten_ends():
    process = ForkedCommand("-c", "import time; time.sleep(100)", environment=os.environ)
    pid = process.pid
    del process
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
