"""Runs on a disk that fills up: a real file system without room."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient

from tests.support.interrupted import begin
from tests.support.processes import checkpoint, deliver, runs, start_code, wait_until


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
    assert deliver(store)[0] == 0
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
    process = start_code(DRAW_LATE, tmp_path, "surface", "--trainer.max_epochs", "3", store=store)
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
