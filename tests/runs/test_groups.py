"""Processes that train together end together."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient

from lit_anndl.runs.launcher import ProcessGroup
from lit_anndl.runtime.interruption import Interruption
from tests.support.processes import checkpoint, runs, start_module, wait_until
from tests.support.ranks import DROPOUT, TWO, watched

SECONDS = 30
"""How long a group may take to end after a signal."""


def test_a_rank_that_fails_alone_is_heard(client, store_uri, witness):
    (witness / "fail").touch()
    code, out, err = watched(DROPOUT, witness, store_uri)
    assert (code, out) == (1, "")
    run = runs(client)[0]
    assert "RuntimeError: a cable was pulled" in err
    last = "fit: rank 1 of 2 processes ended with exit code 1"
    assert err.splitlines()[-1] == f"{last} (run {run.info.run_id})"
    assert run.info.status == "FAILED"


def test_a_signal_in_the_test_waits_for_no_other_rank(client, store_uri, witness):
    (witness / "stop").touch()
    code, out, err = watched(DROPOUT, witness, store_uri)
    run = runs(client)[0]
    advice = f"go on with: python -m lit_anndl.fit surface --resume {run.info.run_id}"
    assert (code, out, err) == (143, "", f"fit: interrupted by SIGTERM; {advice}\n")
    assert (run.info.status, run.data.tags["error"]) == ("KILLED", "interrupted by SIGTERM")


class Group:
    """A command that is to train on two processes, in a session of its own."""

    def __init__(self, words: list[str], store: str) -> None:
        self.ranks: list[int] = []
        self.command = start_module("lit_anndl.fit", *words, start_new_session=True, MLFLOW_TRACKING_URI=store)

    def wait_until_it_trains(self, client: MlflowClient, before: set[str]) -> None:
        found: list[str] = []

        def trains() -> bool:
            assert self.command.poll() is None, self.command.communicate()
            found[:] = [r.info.run_id for r in runs(client) if r.info.run_id not in before and checkpoint(r).exists()]
            return bool(found)

        wait_until(trains, 120)
        self.run_id = found[0]
        self.ranks = sorted(children(self.command.pid), key=local_rank)
        assert list(map(local_rank, self.ranks)) == [0, 1]

    def assert_ends(self, code: int, signum: signal.Signals) -> None:
        """Asserts that it ends in time, says so once, and that nothing is left of it."""
        began = time.monotonic()
        out, err = self.command.communicate(timeout=SECONDS)
        assert time.monotonic() - began < SECONDS
        assert (self.command.returncode, out) == (code, "")
        advice = f"go on with: python -m lit_anndl.fit surface --resume {self.run_id}"
        assert err == f"fit: interrupted by {signum.name}; {advice}\n"
        assert not any(map(is_alive, self.ranks))

    def kill(self) -> None:
        """Leaves nothing behind."""
        for pid in (self.command.pid, *self.ranks):
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        self.command.communicate()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def local_rank(pid: int) -> int:
    (value,) = [v for v in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if v.startswith(b"LOCAL_RANK=")]
    return int(value.partition(b"=")[2])


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def group(store_uri, client) -> Iterator[Group]:
    before = {run.info.run_id for run in runs(client)}
    words = ["surface", "--data.grid_size", "10", "--data.batch_size", "5", "--trainer.max_epochs", "100000", *TWO]
    made = Group(words, store_uri)
    try:
        made.wait_until_it_trains(client, before)
        yield made
    finally:
        made.kill()


def test_ctrl_c_ends_the_group_where_it_can_be_resumed(group, client):
    os.killpg(group.command.pid, signal.SIGINT)
    group.assert_ends(130, signal.SIGINT)
    run = client.get_run(group.run_id)
    assert run.info.status == "KILLED"
    content = torch.load(checkpoint(run), weights_only=True)
    assert content["processes"] == 2 and content["global_step"] % 10 == 0  # at the end of an epoch


def test_a_signal_to_one_rank_ends_the_group(group, client):
    os.kill(group.ranks[1], signal.SIGTERM)
    group.assert_ends(143, signal.SIGTERM)
    assert client.get_run(group.run_id).info.status == "KILLED"


RANKS = """
import os, signal, sys
from lit_anndl.runs.launcher import LOST_CONNECTION, join_group
from lit_anndl.runtime.liveness import process_tags

join_group()
if os.environ["LOCAL_RANK"] == "1":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.kill(os.getpid(), signal.SIGTERM)
from mlflow import MlflowClient

client = MlflowClient()
client.create_experiment("lost")
run = client.create_run(client.get_experiment_by_name("lost").experiment_id, tags=process_tags())
client.set_terminated(run.info.run_id, "FAILED")
sys.exit(LOST_CONNECTION)
"""
"""Rank 1 is interrupted, and leaves before rank 0 knows, which takes it for a failure."""


def test_a_run_that_lost_an_interrupted_rank_is_interrupted(client):
    with pytest.raises(Interruption) as raised:
        ProcessGroup([sys.executable, "-c", RANKS], 2, time.time()).run()
    assert raised.value.exit_code == 143
    run = client.get_run(raised.value.run_id)
    assert (run.info.status, run.data.tags["error"]) == ("KILLED", "interrupted by SIGTERM")


def test_a_signal_ends_a_group_that_waits_for_one_that_does_not_answer(group, client):
    os.kill(group.ranks[1], signal.SIGSTOP)
    time.sleep(1)  # rank 0 comes to wait for it
    group.command.send_signal(signal.SIGTERM)
    group.assert_ends(143, signal.SIGTERM)
    assert client.get_run(group.run_id).info.status == "KILLED"


def test_a_signal_to_the_rank_that_waits_ends_the_group(group):
    os.kill(group.ranks[0], signal.SIGSTOP)
    time.sleep(1)
    os.kill(group.ranks[1], signal.SIGTERM)
    group.assert_ends(143, signal.SIGTERM)


def test_nothing_outlives_the_command(group):
    os.kill(group.ranks[1], signal.SIGSTOP)
    group.command.kill()
    group.command.wait()
    wait_until(lambda: not any(map(is_alive, group.ranks)), SECONDS)
