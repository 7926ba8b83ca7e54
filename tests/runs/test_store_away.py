"""Runs whose store is new, goes away, or is not there: real servers."""

import socket
import time

import pytest
from mlflow import MlflowClient

from tests.support.interrupted import LONG, run_id_in
from tests.support.processes import deliver, runs, start, training_history, wait_until
from tests.support.servers import free_port, serve, stop


def test_several_first_starts_at_once(tmp_path):
    store = f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}"
    processes = [start("surface", "--trainer.max_epochs", "1", store=store) for _ in range(4)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    assert [run.info.status for run in runs(MlflowClient(store))] == ["FINISHED"] * 4


def test_a_server_that_goes_away_loses_nothing(tmp_path, uninterrupted, observer):
    port = free_port()
    address, shown = f"http://student:hush@127.0.0.1:{port}", f"http://student:***@127.0.0.1:{port}"
    server = serve(tmp_path, port)
    remote = MlflowClient(address)
    process = start(*LONG, store=address)
    try:
        wait_until(lambda: runs(remote))
    finally:
        stop(server)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert err.count("does not answer") == 1 and "python -m lit_anndl.deliver" in err
    assert "hush" not in err
    server = serve(tmp_path, port)
    try:
        assert deliver(address) == (0, f"1 runs delivered to {shown}\n", "")
        run = remote.get_run(run_id_in(out))
        assert run.info.status == "FINISHED"
        assert training_history(remote, run.info.run_id) == training_history(observer, uninterrupted)
        names = {item.path for item in remote.list_artifacts(run.info.run_id)}
        assert names == {"config.yaml", "checkpoints", "figures", "images", "tables"}
    finally:
        stop(server)


def test_a_server_that_is_not_there(command, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://student:hush@127.0.0.1:{free_port()}")
    code, out, err = command("surface")
    assert (code, out) == (2, "")
    assert err.startswith("fit: tracking store http://student:***@127.0.0.1") and err.count("\n") == 1
    assert "hush" not in err


@pytest.mark.parametrize(
    "address", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "nonsense://student:hush@127.0.0.1", "http://[bad"]
)
def test_an_address_that_is_none(address, command, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    code, out, err = command("surface")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "hush" not in err
    assert "MLFLOW_TRACKING_URI" in err or address.replace("hush", "***") in err


@pytest.mark.parametrize("listens", [False, True])
def test_a_database_that_does_not_answer(listens, command, monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        port = silent.getsockname()[1]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"postgresql+psycopg://student:hush@127.0.0.1:{port}/runs")
        started = time.monotonic()
        code, out, err = command("surface")
    assert time.monotonic() - started < 30  # MLflow alone would try for a minute and a half
    assert (code, out) == (2, "")
    assert "cannot be used" in err and err.count("\n") == 1 and "hush" not in err
