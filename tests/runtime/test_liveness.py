"""Processes that have died, and those of others."""

import os
import subprocess
import sys
import time

import pytest

from lit_anndl.runtime import liveness
from lit_anndl.runtime.liveness import STALE_SECONDS, has_died, process, process_tags


def test_a_process_lives_until_it_has_ended():
    child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    tags = {**process_tags(), "process": process(child.pid)}
    assert not has_died(tags) and not has_died(process_tags())
    assert has_died({**tags, "process": f"{child.pid}@0"})  # an earlier one of that number
    child.communicate(b"\n")
    assert process(child.pid) == "" and has_died(tags)


def test_processes_of_others_live(monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)  # as the system does of another user's
    assert process(os.getpid()) == process_tags()["process"] != f"{os.getpid()}@"
    assert not has_died({**process_tags(), "process": process(1)})


@pytest.mark.parametrize("told", ["before", "now"])
def test_where_the_start_is_not_told_heartbeats_decide(told, monkeypatch):
    tags = process_tags()
    if told == "now":
        tags["process"] = f"{os.getpid()}@"
    else:
        monkeypatch.setattr(liveness, "process", lambda pid: f"{pid}@")
    assert not has_died(tags)
    assert has_died({**tags, "heartbeat": str(time.time() - STALE_SECONDS - 1)})
