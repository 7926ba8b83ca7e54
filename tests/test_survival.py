"""What a run does when something happens to it: the real command, real signals, real servers, a full disk."""

import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from tests.support.processes import (
    assert_equal_runs,
    checkpoint,
    finish,
    runs,
    start,
    training_history,
    wait_until,
)
from tests.support.servers import free_port, serve, stop

LONG = ["surface", "--model.optimizer", "SGD", "--data.batch_size", "40", "--trainer.max_epochs", "700"]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('survival') / 'mlflow.db'}"


@pytest.fixture(scope="module")
def observer(store) -> MlflowClient:
    return MlflowClient(store)


@pytest.fixture(scope="module")
def uninterrupted(store) -> str:
    code, out, err = finish(*LONG, store=store)
    assert code == 0, err
    return run_id_in(out)


def run_id_in(out: str) -> str:
    (line,) = [line for line in out.splitlines() if line.startswith("run ")]
    return line.split()[1]


def begin(store: str, client: MlflowClient, *words: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
    """A run that has written its first checkpoint, and its id."""
    before = {run.info.run_id for run in runs(client)} if Path(store.removeprefix("sqlite:///")).exists() else set()
    process = start(*words, store=store, **environment)
    found: list[str] = []

    def has_begun() -> bool:
        assert process.poll() is None, process.communicate()
        found[:] = [r.info.run_id for r in runs(client) if r.info.run_id not in before and checkpoint(r).exists()]
        return bool(found)

    wait_until(has_begun)
    return process, found[0]


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


def test_the_last_checkpoint_is_the_last_though_nothing_improves(store, observer):
    worst = ["--checkpoint.mode", "max", "--checkpoint.every_n_epochs", "1"]
    process, run_id = begin(store, observer, *LONG, *worst)
    wait_until(lambda: observer.get_run(run_id).data.metrics.get("train/mse"))  # sent after some seconds
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert torch.load(checkpoint(observer.get_run(run_id)), weights_only=True)["epoch"] > 3


def test_weights_that_the_last_step_made_infinite(command):
    diverging = ["--model.optimizer", "SGD", "--model.optimizer.lr", "1e30", "--data.batch_size", "1600"]
    code, _, err = command("surface", *diverging, "--trainer.max_epochs", "1")
    assert code == 1 and "test/mse is inf" in err and err.count("\n") == 1


def test_signal_before_the_run_has_begun(store, observer):
    before = len(runs(observer))
    process = start("surface", store=store)
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
    done = subprocess.run(
        [sys.executable, "-m", "lit_anndl.deliver"], env={**os.environ, "MLFLOW_TRACKING_URI": store}, check=False
    )
    assert done.returncode == 0
    statuses = [observer.get_run(each).info.status for each in (run_id, foreign, alive)]
    assert statuses == ["KILLED", "RUNNING", "RUNNING"]
    observer.delete_run(foreign)
    observer.delete_run(alive)


def test_an_exception_fails_the_run(store, observer, tmp_path):
    (tmp_path / "unlucky.py").write_text(
        "from lightning.pytorch import Callback\n"
        "class Unlucky(Callback):\n"
        "    def on_train_epoch_start(self, trainer, module):\n"
        "        if trainer.current_epoch == 2: raise RuntimeError('a cable was pulled')\n"
    )
    (tmp_path / "extra.yaml").write_text("trainer: {callbacks: [{class_path: unlucky.Unlucky}]}")
    code, _, err = finish("surface", "--config", str(tmp_path / "extra.yaml"), store=store, PYTHONPATH=str(tmp_path))
    assert code == 1
    assert "RuntimeError: a cable was pulled" in err
    run = runs(observer)[0]
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "RuntimeError: a cable was pulled")
    assert checkpoint(run).exists()


def test_a_diverging_loss_stops_the_run(command):
    before = {run.info.run_id for run in command.runs()}
    code, _, err = command("surface", "--model.optimizer", "SGD", "--model.optimizer.lr", "1e9")
    assert code == 1
    assert err.count("\n") == 1 and "at step" in err and "smaller learning rate" in err
    (run,) = [run for run in command.runs() if run.info.run_id not in before]
    assert run.info.status == "FAILED" and "at step" in run.data.tags["error"]


def test_max_epochs_may_grow(command):
    short = command.run("surface", "--trainer.max_epochs", "3")
    grown = command.run("surface", "--resume", short.info.run_id, "--trainer.max_epochs", "6")
    whole = command.run("surface", "--trainer.max_epochs", "6")
    assert grown.info.run_id == short.info.run_id
    histories = [training_history(command.client, run.info.run_id)["train/mse"] for run in (grown, whole)]
    assert histories[0] == histories[1]
    assert [epoch for epoch, _ in histories[0]] == list(range(6))
    for name, value in whole.data.metrics.items():
        assert name.startswith("seconds/") or grown.data.metrics[name] == value, name
    assert grown.data.metrics["seconds/fit"] > short.data.metrics["seconds/fit"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.hidden", "9"], "model.hidden: a resumed run keeps its 50, 9 was given"),
        (["--model.optimizer", "SGD"], "model.optimizer: a resumed run keeps its Adam"),
        (["--trainer.max_epochs", "2"], "trainer.max_epochs: a resumed run keeps its 3, 2 was given"),
        ([], "is finished; to train longer, give a larger --trainer.max_epochs"),
    ],
)
def test_a_resumed_run_keeps_its_settings(words, message, command):
    run = command.run("surface", "--trainer.max_epochs", "3")
    code, _, err = command("surface", "--resume", run.info.run_id, *words)
    assert code == 2
    assert message in err and err.count("\n") == 1
    assert command.client.get_run(run.info.run_id).info.status == "FINISHED"


def test_resuming_what_cannot_be_resumed(command):
    code, _, err = command("surface", "--resume", "0" * 32)
    assert code == 2 and f"there is no run {'0' * 32}" in err and err.count("\n") == 1
    run = command.run("surface", "--trainer.max_epochs", "1")
    code, _, err = command("mnist_cnn", "--resume", run.info.run_id)
    assert code == 2 and "is a run of surface, not of mnist_cnn" in err


class Malice:
    """Unpickled, it would leave a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def damage(path: Path, how: str, folder: Path) -> None:
    content = bytearray(path.read_bytes())
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "altered":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif how == "malicious":
        torch.save({"exercise": "surface", "payload": Malice(folder / "executed")}, path)
    elif how == "a bare pickle":
        path.write_bytes(pickle.dumps(Malice(folder / "executed")))
    elif how == "a list":
        torch.save([1], path)
    elif how == "of another exercise":
        torch.save({**torch.load(path, weights_only=True), "exercise": "mnist_cnn"}, path)
    elif how == "of another network":
        state = {name: value[..., :2] for name, value in torch.load(path, weights_only=True)["state_dict"].items()}
        torch.save({**torch.load(path, weights_only=True), "state_dict": state}, path)
    else:
        path.unlink()


DAMAGES = [
    *("truncated", "altered", "malicious", "a bare pickle", "a list", "of another exercise", "of another network"),
    "gone",
]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_bad_checkpoint_is_refused(how, command, tmp_path):
    run = command.run("surface", "--trainer.max_epochs", "3")
    damage(checkpoint(run), how, tmp_path)
    code, _, err = command("surface", "--resume", run.info.run_id, "--trainer.max_epochs", "5")
    assert code == 2
    assert str(checkpoint(run)) in err and err.count("\n") == 1
    assert not (tmp_path / "executed").exists()
    assert command.client.get_run(run.info.run_id).info.status == "FINISHED"


def test_several_first_starts_at_once(tmp_path):
    store = f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}"
    processes = [start("surface", "--trainer.max_epochs", "1", store=store) for _ in range(4)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    assert [run.info.status for run in runs(MlflowClient(store))] == ["FINISHED"] * 4


def fill(folder: Path) -> None:
    with (folder / "filler").open("wb") as filler, pytest.raises(OSError, match="No space"):
        while True:
            os.write(filler.fileno(), bytes(1024))


@pytest.fixture
def full_disk(tmp_path, request) -> Iterator[Path]:
    """A small disk, mounted at a folder of a store."""
    folder = tmp_path / "store" / request.param
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=3000k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let tests mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a client may hold the database open


@pytest.mark.parametrize("full_disk", ["."], indirect=True)
def test_a_full_disk_under_the_whole_store(full_disk):
    store = f"sqlite:///{full_disk / 'mlflow.db'}"
    client = MlflowClient(store)
    process, run_id = begin(store, client, "surface", "--checkpoint.every_n_epochs", "50")
    fill(full_disk)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "No space left on device" in err and "Traceback" not in err
    (full_disk / "filler").unlink()
    deliver = [sys.executable, "-m", "lit_anndl.deliver"]
    subprocess.run(deliver, env={**os.environ, "MLFLOW_TRACKING_URI": store}, check=True)
    assert client.get_run(run_id).info.status in ("FAILED", "KILLED")
    assert torch.load(checkpoint(client.get_run(run_id)), weights_only=True)["exercise"] == "surface"


DRAW_LATE = """
import sys, time
from pathlib import Path
from lit_anndl import fit
from lit_anndl.runs import run
draw = run.record_results
def wait_and_draw(*arguments):
    Path(sys.argv[1], "trained").touch()
    while not Path(sys.argv[1], "full").exists():
        time.sleep(0.05)
    draw(*arguments)
run.record_results = wait_and_draw
sys.exit(fit.main(sys.argv[2:]))
"""
"""The command, which waits with its figures until the disk is full."""


@pytest.mark.parametrize("full_disk", ["artifacts"], indirect=True)
def test_no_room_for_figures(full_disk, tmp_path):
    store = f"sqlite:///{full_disk.parent / 'mlflow.db'}"
    words = [sys.executable, "-c", DRAW_LATE, str(tmp_path), "surface", "--trainer.max_epochs", "3"]
    process = subprocess.Popen(
        words,
        env={**os.environ, "MLFLOW_TRACKING_URI": store},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until((tmp_path / "trained").exists)
    fill(full_disk)
    (tmp_path / "full").touch()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot be written (No space left on device)" in err and err.count("\n") == 1
    (run,) = runs(MlflowClient(store))
    assert run.info.status == "FAILED"
    assert not [path for path in full_disk.rglob("*") if path.suffix in (".png", ".new")]


@pytest.mark.parametrize("full_disk", ["artifacts"], indirect=True)
def test_a_full_disk_leaves_the_checkpoint_before_whole(full_disk):
    store = f"sqlite:///{full_disk.parent / 'mlflow.db'}"
    client = MlflowClient(store)
    process, run_id = begin(store, client, "surface", "--checkpoint.every_n_epochs", "50")
    fill(full_disk)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot be written (No space left on device)" in err and err.count("\n") == 1
    path = checkpoint(client.get_run(run_id))
    assert torch.load(path, weights_only=True)["exercise"] == "surface"
    assert {other.suffix for other in path.parent.iterdir()} == {".ckpt"}
    assert client.get_run(run_id).info.status == "FAILED"


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
        deliver = [sys.executable, "-m", "lit_anndl.deliver"]
        done = subprocess.run(
            deliver, env={**os.environ, "MLFLOW_TRACKING_URI": address}, capture_output=True, text=True, check=True
        )
        assert done.stdout == f"1 runs delivered to {shown}\n"
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
