"""Studies as processes: interrupted, killed, started six at a time."""

import os
import signal
import threading

import pytest
from optuna.trial import TrialState

from lit_anndl.runtime.interruption import Interruption
from lit_anndl.runtime.liveness import process as process_of
from lit_anndl.studies import handing_back, local, results, worker
from tests.studies.conftest import assert_complete, in_state, start_sweep
from tests.support.processes import wait_until

LONGER = {"trainer.max_epochs": 150, "data.validation_size": 160, "data.batch_size": 40, "model.optimizer": "SGD"}


def values(study) -> list[tuple[float, ...]]:
    complete = sorted(in_state(study, TrialState.COMPLETE), key=lambda trial: trial.user_attrs["place"])
    return [(trial.value, *trial.params.values()) for trial in complete]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_study_goes_on_as_if_it_had_not_been(
    signum, study_file, storage, load_study, own_store, run_sweep
):
    assert run_sweep(study_file("whole", trials=2, overrides=LONGER, seeds=[0, 1]))[0] == 0
    file = study_file("broken", trials=2, overrides=LONGER, seeds=[0, 1])
    process = start_sweep(file)
    study = load_study("broken", storage)
    # In the middle of the second trial's second run.
    wait_until(lambda: any(len(t.user_attrs.get("runs", {})) == 2 for t in study.trials[1:]) or process.poll(), 120)
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)
    parent = study.user_attrs["mlflow_run"]
    if signum == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 128 + signum
        assert err == f"sweep: interrupted by {signal.Signals(signum).name}; the same command goes on\n"
        assert not in_state(study, TrialState.RUNNING)
        experiment = own_store.get_experiment_by_name("surface").experiment_id
        assert not own_store.search_runs([experiment], "attributes.status = 'RUNNING'")
        assert own_store.get_run(parent).info.status == "KILLED"
    code, _, err = run_sweep(file)
    assert code == 0, err
    assert_complete(study, own_store, 2, seeds=2)
    assert values(study) == values(load_study("whole", storage))
    assert len(study.trials) == 3  # one has a copy, no more


def test_six_first_starts_at_once(study_file, storage, load_study, own_store):
    file = study_file("rush", trials=8)
    processes = [start_sweep(file, OMP_NUM_THREADS="1") for _ in range(6)]
    errors = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 6, errors
    assert errors == [""] * 6
    assert_complete(load_study("rush", storage), own_store, 8)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_local_workers_end_with_their_parent(signum, study_file, storage, load_study, own_store):
    file = study_file("family", trials=30, overrides=LONGER, workers=2)
    process = start_sweep(file)
    study = load_study("family", storage)
    workers: set[str] = set()

    def both_work() -> bool:
        marks = [trial.user_attrs.get("worker", {}) for trial in in_state(study, TrialState.RUNNING)]
        workers.update(mark["process"].partition("@")[0] for mark in marks if mark)
        return len(workers) == 2

    wait_until(both_work, 120)
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (143 if signum == signal.SIGTERM else -9), err
    wait_until(lambda: not [pid for pid in workers if process_of(int(pid))])
    if "the study could not be told" in err:  # on a machine so busy that the database kept all waiting
        return
    assert not in_state(study, TrialState.RUNNING), err
    assert own_store.get_run(study.user_attrs["mlflow_run"]).info.status == "KILLED", err


def test_trials_of_workers_that_had_to_be_killed_are_put_back(
    study_file, storage, load_study, own_store, run_sweep, monkeypatch
):
    monkeypatch.setattr(local, "_LONGEST_GOODBYE_SECONDS", 0.0)
    file = study_file("slow", trials=30, overrides=LONGER, workers=2)

    def interrupt_when_both_work() -> None:
        begun = load_study("slow", storage)
        wait_until(lambda: len(in_state(begun, TrialState.RUNNING)) == 2, 120)
        os.kill(os.getpid(), signal.SIGTERM)

    command = threading.Thread(target=interrupt_when_both_work)
    command.start()
    code, _, err = run_sweep(file)
    command.join()
    study = load_study("slow", storage)
    assert code == 143, err
    assert not in_state(study, TrialState.RUNNING)
    assert len(in_state(study, TrialState.WAITING)) == 2
    assert own_store.get_run(study.user_attrs["mlflow_run"]).info.status == "KILLED"


@pytest.mark.parametrize("seen_at_first", [True, False], ids=["before", "meanwhile"])
def test_a_worker_that_is_ended_leaves_a_finished_study_finished(
    seen_at_first, study_file, storage, load_study, own_store, run_sweep, monkeypatch
):
    file = study_file("over", trials=1)
    assert run_sweep(file)[0] == 0
    parent = load_study("over", storage).user_attrs["mlflow_run"]
    answers = [seen_at_first, seen_at_first]

    def is_concluded(opened):
        return answers.pop(0) if answers else results.is_concluded(opened)

    def interrupted(*_):
        raise Interruption(signal.SIGTERM)

    for module in (worker, handing_back):
        monkeypatch.setattr(module, "is_concluded", is_concluded)
    monkeypatch.setattr(worker, "_take_trials", interrupted)
    assert run_sweep(file)[0] == 143
    assert not answers
    assert own_store.get_run(parent).info.status == "FINISHED"
