"""Studies on real PostgreSQL and Slurm, with workers killed, interrupted and requeued, and the database restarted."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator

import optuna
import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from lit_anndl.paths import run_store
from tests.processes import wait_until
from tests.servers import Postgres, postgres, slurm
from tests.studies.conftest import assert_complete, in_state, start_sweep

TRIALS = 40
LONGER = {"trainer.max_epochs": 60, "data.validation_size": 160, "data.batch_size": 40, "model.optimizer": "SGD"}


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def own_store(tmp_path, monkeypatch) -> MlflowClient:
    """A tracking store that nothing else writes to."""
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    return MlflowClient(address)


def done(study: optuna.Study) -> int:
    return len(in_state(study, TrialState.COMPLETE))


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """The worker processes of a sweep."""
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def state_of(job: str, cluster: dict[str, str]) -> str:
    command = ["squeue", "--noheader", "--jobs", job, "--format", "%T"]
    return subprocess.run(command, env=cluster, capture_output=True, text=True, check=False).stdout.strip()


def test_nothing_is_lost_with_workers_or_database(database, study_file, own_store, load_study):
    file = study_file("lossless", trials=TRIALS, overrides=LONGER, workers=4)
    process = start_sweep(file, "--storage", database.address)
    study = load_study("lossless", database.address)
    wait_until(lambda: done(study) >= 6 or process.poll() is not None, 120)
    first, second, *_ = workers_of(process)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: done(study) >= 12 or process.poll() is not None, 120)
    os.kill(second, signal.SIGTERM)
    wait_until(lambda: done(study) >= 20 or process.poll() is not None, 120)
    database.stop()
    time.sleep(2)
    database.start()
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert f"{TRIALS} of {TRIALS} trials complete" in out
    assert "hush" not in out + err
    assert_complete(study, own_store, TRIALS)


def test_slurm_requeues_and_nothing_is_lost(database, study_file, own_store, load_study):
    with slurm() as cluster:
        file = study_file(
            "array",
            trials=TRIALS,
            overrides=LONGER,
            workers=4,
            launcher="slurm",
            slurm={"cpus": 1, "minutes": 5, "partition": "short"},
        )
        submitted = start_sweep(file, "--storage", database.address, **cluster)
        out, err = submitted.communicate(timeout=120)
        assert submitted.returncode == 0, err
        job = out.split("submitted as job ")[1].split()[0]
        study = load_study("array", database.address)
        wait_until(lambda: done(study) >= 5, 180)
        subprocess.run(["scancel", f"{job}_0"], check=True, env=cluster)
        wait_until(lambda: done(study) >= 12, 120)
        subprocess.run(["scontrol", "requeue", f"{job}_1"], check=True, env=cluster)
        wait_until(lambda: done(study) >= 18, 120)
        # As a job is told whose time is nearly up: it ends well and queues itself again.
        subprocess.run(["scancel", "--signal=USR2", f"{job}_2"], check=True, env=cluster)
        wait_until(lambda: state_of(f"{job}_2", cluster) == "PENDING", 60)
        wait_until(lambda: done(study) >= TRIALS, 240)
        wait_until(lambda: own_store.get_run(study.user_attrs["mlflow_run"]).info.status == "FINISHED", 60)
        subprocess.run(["scancel", job], check=True, env=cluster)
        assert_complete(study, own_store, TRIALS)
        folder = run_store() / "slurm" / "array"
        assert list(folder.glob("*.sh"))
        assert not [file for file in folder.iterdir() if b"hush" in file.read_bytes()]
        shutil.rmtree(folder)
