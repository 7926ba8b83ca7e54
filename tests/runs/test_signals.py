"""Runs that are interrupted, killed or believed dead: the real command, real signals."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from mlflow.exceptions import MlflowException

from tests.support.interrupted import LONG, begin, run_id_in
from tests.support.processes import FIT, assert_equal_runs, checkpoint, deliver, finish, runs, wait_until


def test_many_signals_lose_neither_the_advice_nor_the_status(store, observer):
    process, run_id = begin(store, observer, *LONG)
    while process.poll() is None:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
    _, err = process.communicate(timeout=30)
    advice = f"go on with: python -m lit_anndl.fit surface --resume {run_id}"
    assert (process.returncode, err) == (143, f"fit: interrupted by SIGTERM; {advice}\n")
    assert observer.get_run(run_id).info.status == "KILLED"
    assert observer.get_run(run_id).data.tags["error"] == "interrupted by SIGTERM"


def stop_between_deliveries(process, observer, run_id) -> None:
    """Stops a process that does not hold the database's lock, and moves it to another machine, for its heartbeat."""
    for _ in range(5):
        process.send_signal(signal.SIGSTOP)
        try:
            observer.set_tag(run_id, "host", "another machine")
            return
        except MlflowException:
            process.send_signal(signal.SIGCONT)
            time.sleep(1)
    raise AssertionError("it holds the lock all the time")


def test_a_process_believed_dead_ends_and_writes_nothing(store, observer, uninterrupted):
    process, run_id = begin(store, observer, *LONG)
    stop_between_deliveries(process, observer, run_id)
    observer.set_tag(run_id, "heartbeat", "0")
    code, _, err = finish("surface", "--resume", run_id, store=store)
    assert code == 0, err
    artifacts_before = {path: path.stat().st_mtime_ns for path in checkpoint(observer.get_run(run_id)).parent.iterdir()}
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith("fit: another process has gone on with this run") and err.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in artifacts_before} == artifacts_before
    assert_equal_runs(observer, run_id, uninterrupted)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_the_run_and_resuming_completes_it(signum, code, store, observer, uninterrupted):
    process, run_id = begin(store, observer, *LONG)
    process.send_signal(signum)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code
    advice = f"go on with: python -m lit_anndl.fit surface --resume {run_id}"
    assert err == f"fit: interrupted by {signum.name}; {advice}\n"
    assert observer.get_run(run_id).info.status == "KILLED"
    assert torch.load(checkpoint(observer.get_run(run_id)), weights_only=True)["global_step"] > 0
    code, out, err = finish("surface", "--resume", run_id, store=store)
    assert code == 0, err
    assert run_id_in(out) == run_id
    assert_equal_runs(observer, run_id, uninterrupted)


def test_two_signals_end_the_run_at_once(store, observer):
    process, run_id = begin(store, observer, "surface", "--data.grid_size", "1500", "--trainer.max_epochs", "50")
    process.send_signal(signal.SIGINT)
    time.sleep(1)  # or the two would be one
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=8)  # one alone would wait for the epoch, 10 s at most
    assert process.returncode == 130
    assert observer.get_run(run_id).info.status == "KILLED"


def test_signal_before_the_run_has_begun(store, observer):
    before = len(runs(observer))
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store}
    importing = [*FIT, "surface"]
    process = subprocess.Popen(importing, env=environment, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: handles_sigterm(process.pid))
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 143
    assert err == "fit: interrupted by SIGTERM\n"
    assert len(runs(observer)) == before


def handles_sigterm(pid: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (caught,) = [int(line.split()[1], 16) for line in lines if line.startswith("SigCgt")]
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def test_a_killed_run_is_marked_by_the_next_command_and_nothing_else(store, observer):
    process, run_id = begin(store, observer, *LONG)
    foreign = observer.create_run("0").info.run_id
    alive = observer.create_run("0", tags=observer.get_run(run_id).data.tags).info.run_id
    ours = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    observer.set_tag(alive, "process", f"{os.getpid()}@{ours}")
    process.kill()
    process.communicate()
    assert observer.get_run(run_id).info.status == "RUNNING"
    assert deliver(store)[0] == 0
    statuses = [observer.get_run(each).info.status for each in (run_id, foreign, alive)]
    assert statuses == ["KILLED", "RUNNING", "RUNNING"]
    observer.delete_run(foreign)
    observer.delete_run(alive)
