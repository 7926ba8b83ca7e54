"""What a process leaves that is killed at a bad moment, and what the next command makes of it."""

import signal
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from lit_anndl.tracking.artifacts import last_checkpoint
from lit_anndl.tracking.store import TrackingStore
from tests.support.processes import deliver, finish, runs, start_code
from tests.support.servers import free_port, serve, stop

SHORT = ("surface", "--trainer.max_epochs", "2", "--data.grid_size", "5")
KILLED_IN = """
import os, signal, sys
from lit_anndl import fit
from lit_anndl.tracking import {module}
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
{module}.{place} = die
fit.main(sys.argv[1:])
"""
"""The command, killed in the middle of something."""


@pytest.fixture
def store(tmp_path, make_store) -> str:
    return make_store(tmp_path / "runs")


def killed_in(module: str, place: str, *words: str, store: str) -> None:
    code = KILLED_IN.format(module=module, place=place)
    assert start_code(code, *words, store=store).wait(120) == -signal.SIGKILL


def test_killed_right_after_the_run_was_created(store):
    killed_in("tracker", "Tracker._attach", *SHORT, store=store)
    (run,) = runs(MlflowClient(store))
    assert run.info.status == "RUNNING"
    assert deliver(store)[0] == 0
    assert [run.info.status for run in runs(MlflowClient(store))] == ["KILLED"]
    code, _, err = finish("surface", "--resume", run.info.run_id, store=store)
    assert code == 2 and "holds no config.yaml" in err and err.count("\n") == 1


def test_killed_before_the_parameters_arrived(store):
    killed_in("delivery", "deliver", *SHORT, store=store)
    client = MlflowClient(store)
    (run,) = runs(client)
    assert run.data.params == {}
    code, _, err = finish("surface", "--resume", run.info.run_id, store=store)
    assert code == 0, err
    again = client.get_run(run.info.run_id)
    assert again.info.status == "FINISHED"
    assert again.data.params["model.optimizer.lr"] == "0.001"
    assert finish(*SHORT, store=store)[0] == 0
    assert again.data.params == runs(client)[0].data.params


def test_parameters_that_another_machine_kept_are_recorded_on_resuming(store):
    killed_in("delivery", "deliver", *SHORT, store=store)
    client = MlflowClient(store)
    (run,) = runs(client)
    waiting = Path(store.removeprefix("sqlite:///")).parent / "spool" / run.info.run_id
    for file in waiting.iterdir():
        file.unlink()
    assert deliver(store)[0] == 0
    assert not waiting.exists()  # nothing in it says what it was
    assert finish("surface", "--resume", run.info.run_id, store=store)[0] == 0
    assert client.get_run(run.info.run_id).data.params["model.hidden"] == "50"


@pytest.mark.parametrize("content", [b"[1, 2]", b"\xff\xfe\x00", b"{torn", b'{"parameters": 5}'])
def test_damaged_facts_are_set_aside(content, store):
    assert finish(*SHORT, store=store)[0] == 0
    folder = Path(store.removeprefix("sqlite:///")).parent
    spool = folder / "spool" / ("0" * 32)
    spool.mkdir()
    (spool / "facts.json").write_bytes(content)
    code, _, err = deliver(store)
    assert code == 0 and err.count("\n") == 1 and "set aside in" in err
    place = Path(err.rpartition("set aside in ")[2].strip())
    assert (place / "facts.json").read_bytes() == content
    assert deliver(store) == (0, f"0 runs delivered to {store}\n", "")


def test_a_store_that_was_moved_with_its_folder(store, tmp_path):
    code, _, err = finish(*SHORT, store=store)
    assert code == 0, err
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    moved = f"sqlite:///{tmp_path / 'elsewhere' / 'mlflow.db'}"
    client = MlflowClient(moved)
    (run,) = runs(client)
    code, _, err = finish("surface", "--resume", run.info.run_id, "--trainer.max_epochs", "4", store=moved)
    assert code == 0, err
    assert finish(*SHORT, store=moved)[0] == 0
    assert not (tmp_path / "runs").exists()
    for each in runs(client):
        assert Path(each.info.artifact_uri.removeprefix("file://")).is_relative_to(tmp_path / "elsewhere")
        client.download_artifacts(each.info.run_id, "config.yaml", str(tmp_path))


def test_what_waits_in_a_store_that_was_moved_is_delivered(store, tmp_path):
    killed_in("delivery", "finish", *SHORT, store=store)
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    moved = f"sqlite:///{tmp_path / 'elsewhere' / 'mlflow.db'}"
    assert deliver(moved) == (0, f"1 runs delivered to {moved}\n", "")
    (run,) = runs(MlflowClient(moved))
    assert run.info.status == "FINISHED"
    assert len(MlflowClient(moved).get_metric_history(run.info.run_id, "train/mse")) == 2
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("tag", [{"heartbeat": "soon"}, {"process": "9" * 30 + "@1"}, {"host": "", "process": "@"}])
def test_tags_that_make_no_sense_harm_no_command(tag, store):
    assert finish(*SHORT, store=store)[0] == 0
    client = MlflowClient(store)
    tags = {"host": "elsewhere", "process": "1@1", "heartbeat": "0", **tag}
    odd = client.create_run("0", tags=tags).info.run_id
    assert deliver(store)[0] == 0
    assert client.get_run(odd).info.status == "RUNNING"


def test_checkpoints_that_were_just_fetched_are_left_alone(server, tmp_path, monkeypatch):
    address = f"http://127.0.0.1:{server}"
    assert finish(*SHORT, store=address)[0] == 0
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    store = TrackingStore()
    run = next(run for run in runs(store.client) if run.info.status == "FINISHED")
    path = last_checkpoint(store, run)
    assert path is not None
    assert deliver(address)[0] == 0  # before the run is this process', as its tags tell
    assert path.exists()
    store.outbox(run.info.run_id).remove()


class Forgetful(BaseHTTPRequestHandler):
    """Passes requests on to a server, but for the first answer about a run that was created, which it loses."""

    behind: int
    lost = threading.Event()

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = HTTPConnection("127.0.0.1", self.behind)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if self.path.endswith("runs/create") and not self.lost.is_set():
            self.lost.set()
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = pass_on  # noqa: N815  # names that the base class calls

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def server(tmp_path) -> Iterator[int]:
    """The port of a tracking server."""
    port = free_port()
    process = serve(tmp_path, port)
    yield port
    stop(process)


def test_an_answer_that_got_lost_leaves_no_second_run(server):
    handler = type("Handler", (Forgetful,), {"behind": server, "lost": threading.Event()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{proxy.server_port}"
        code, _, err = finish(*SHORT, store=address)
        proxy.shutdown()
    assert handler.lost.is_set()
    assert code == 0, err
    client = MlflowClient(f"http://127.0.0.1:{server}")
    experiment = client.get_experiment_by_name("surface").experiment_id
    assert [run.info.status for run in client.search_runs([experiment])] == ["FINISHED"]
    assert len(client.search_runs([experiment], run_view_type=ViewType.ALL)) == 2  # the other one was made, and deleted
