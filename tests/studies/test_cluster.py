"""Studies on real PostgreSQL and Slurm, with workers killed, interrupted and requeued, and the database restarted."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from lit_anndl.runtime.paths import run_store
from lit_anndl.studies import handing_back
from lit_anndl.studies import trial as trials
from lit_anndl.studies.database import StudyDatabase, retry
from tests.studies.conftest import assert_complete, in_state, start_sweep
from tests.support.forked import ForkedCommand
from tests.support.processes import start_module, wait_until
from tests.support.servers import LOCK_HOLDERS, Postgres, postgres, slurm

TRIALS = 20
LONGER = {"trainer.max_epochs": 60, "data.validation_size": 160, "data.batch_size": 40, "model.optimizer": "SGD"}


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def disposed(monkeypatch) -> Iterator[None]:
    """Closes what commands within this process leave to its end."""
    honest, storages = StudyDatabase.connect, list[RDBStorage]()

    def connect(storage: StudyDatabase, *arguments: Any) -> RDBStorage:
        storages.append(honest(storage, *arguments))
        return storages[-1]

    monkeypatch.setattr(StudyDatabase, "connect", connect)
    yield
    for storage in storages:
        storage.engine.dispose()


def done(study: optuna.Study) -> int:
    return len(in_state(study, TrialState.COMPLETE))


def workers_of(process: ForkedCommand) -> list[int]:
    """The worker processes of a sweep."""
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def state_of(job: str, cluster: dict[str, str]) -> str:
    command = ["squeue", "--noheader", "--jobs", job, "--format", "%T"]
    return subprocess.run(command, env=cluster, capture_output=True, text=True, check=False).stdout.strip()


def said_in(logs: Iterable[Path]) -> list[str]:
    return [log.read_text() for log in logs]


def test_nothing_is_lost_with_workers_or_database(database, study_file, own_store, load_study):
    file = study_file("lossless", trials=TRIALS, overrides=LONGER, workers=4)
    process = start_sweep(file, "--storage", database.address)
    study = load_study("lossless", database.address)
    wait_until(lambda: done(study) >= 4 or process.poll() is not None, 120)
    first, second, *_ = workers_of(process)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: done(study) >= 7 or process.poll() is not None, 120)
    os.kill(second, signal.SIGTERM)
    wait_until(lambda: done(study) >= 10 or process.poll() is not None, 120)
    assert done(study) < TRIALS
    database.stop()
    time.sleep(2)
    database.start()
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert f"{TRIALS} of {TRIALS} trials complete" in out
    assert "hush" not in out + err
    assert_complete(study, own_store, TRIALS)


def test_a_lock_whose_connection_is_terminated_costs_no_trial(database, study_file, own_store, load_study):
    file = study_file("terminated", trials=12, workers=2)
    process = start_sweep(file, "--storage", database.address)
    study = load_study("terminated", database.address)
    try:
        with database.terminating(LOCK_HOLDERS) as terminated:
            out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "12 of 12 trials complete" in out
    assert "Traceback" not in err
    assert_complete(study, own_store, 12)
    assert terminated


def test_backends_terminated_from_the_beginning_to_the_end_cost_no_trial(database, study_file, own_store, load_study):
    file = study_file("shaken", trials=4, workers=2)
    process = start_sweep(file, "--storage", database.address)
    study = load_study("shaken", database.address)  # the workers are about to begin
    try:
        with database.terminating(every=0.5) as terminated:
            out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "4 of 4 trials complete" in out
    assert "Traceback" not in err
    assert_complete(study, own_store, 4)
    assert len(terminated) > 10


def test_a_lost_lock_is_free_and_its_holder_goes_on(database):
    holder, other = StudyDatabase(database.address), StudyDatabase(database.address)
    with holder.locked("study"):
        with database.terminating(LOCK_HOLDERS) as terminated:
            wait_until(lambda: terminated)
        with other.locked("study"):
            pass
    with database.terminating(LOCK_HOLDERS) as terminated, pytest.raises(KeyError), holder.locked("study"):
        wait_until(lambda: terminated)
        raise KeyError("what is wrong within is said")


def test_a_worker_waits_for_a_database_that_is_away_as_it_begins(
    database, study_file, run_sweep, own_store, load_study, disposed
):
    assert run_sweep(study_file("early", trials=1), "--storage", database.address)[0] == 0
    study = load_study("early", database.address)
    study.set_user_attr("trials", 2)
    database.stop()
    process = start_module("lit_anndl.studies.process", "early", "", "1", LIT_ANNDL_STORAGE=database.address)
    wait_until(process.errors_so_far)
    assert process.errors_so_far() == "the study's database does not answer (OperationalError); trying again\n"
    database.start()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert_complete(study, own_store, 2)


def test_a_database_that_stays_away_costs_a_line(database, study_file, run_sweep, own_store, disposed, monkeypatch):
    honest = trials.run

    def away(*arguments: Any, **options: Any) -> Any:
        database.stop()
        return honest(*arguments, **options)

    file = study_file("lonely", trials=2)
    monkeypatch.setattr(handing_back, "PATIENCE_AT_THE_END_SECONDS", 0.5)
    with monkeypatch.context() as patch:
        patch.setattr(trials, "run", away)
        patch.setattr(retry, "__defaults__", (0.5,))
        code, _, err = run_sweep(file, "--storage", database.address)
    again, _, refusal = run_sweep(file, "--storage", database.address)
    database.start()
    assert code == 1 and err.startswith("sweep: the study's database is away: ")
    assert again == 2 and "cannot be used: " in refusal and "hush" not in err + refusal
    assert err.count("\n") == refusal.count("\n") == 1
    code, out, err = run_sweep(file, "--storage", database.address)
    assert code == 0, err
    assert "2 of 2 trials complete" in out


def test_slurm_requeues_and_nothing_is_lost(database, study_file, own_store, load_study):
    with slurm() as cluster:
        file = study_file(
            "array",
            trials=TRIALS,
            overrides=LONGER,
            workers=4,
            launcher="slurm",
            slurm={"cpus": 1, "minutes": 10, "partition": "short"},
        )
        submitted = start_sweep(file, "--storage", database.address, **cluster)
        out, err = submitted.communicate(timeout=120)
        assert submitted.returncode == 0, err
        job = out.split("submitted as job ")[1].split()[0]
        study = load_study("array", database.address)
        wait_until(lambda: done(study) >= 3, 180)
        subprocess.run(["scancel", f"{job}_0"], check=True, env=cluster)
        wait_until(lambda: done(study) >= 7, 120)
        subprocess.run(["scontrol", "requeue", f"{job}_1"], check=True, env=cluster)
        wait_until(lambda: done(study) >= 11, 120)
        # As a job is told whose time is nearly up: it ends well and queues itself again.
        told, folder = f"{job}_2", run_store() / "slurm" / "array"
        subprocess.run(["scancel", "--signal=USR2", told], check=True, env=cluster)
        wait_until(lambda: state_of(told, cluster) == "PENDING", 120, lambda: said_in(folder.glob("*_2_*.out")))
        wait_until(lambda: done(study) >= TRIALS, 240)
        wait_until(lambda: own_store.get_run(study.user_attrs["mlflow_run"]).info.status == "FINISHED", 60)
        subprocess.run(["scancel", job], check=True, env=cluster)
        assert_complete(study, own_store, TRIALS)
        assert list(folder.glob("*.sh"))
        assert not [file for file in folder.iterdir() if b"hush" in file.read_bytes()]
        shutil.rmtree(folder)
