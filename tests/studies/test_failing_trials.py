"""Trials that fail, whose worker dies, or that are taken away."""

import time
from typing import Any

import torch
from optuna.trial import TrialState

from lit_anndl.runtime.errors import Unreachable
from lit_anndl.runtime.liveness import STALE_SECONDS
from lit_anndl.studies import trial as trials
from lit_anndl.studies.claiming import OVERLAP_SECONDS, claim
from lit_anndl.studies.database import StudyDatabase
from lit_anndl.studies.queue import MAX_DEATHS, requeue
from lit_anndl.studies.samplers import make_sampler
from lit_anndl.studies.study import begin
from lit_anndl.studies.study_file import read_definition
from tests.studies.conftest import assert_complete, in_state


def test_a_failure_is_one_trial_s(study_file, run_sweep, client, storage, load_study, monkeypatch):
    honest = trials.run

    def unlucky(configuration: Any, *arguments: Any, **options: Any) -> Any:
        if options["tags"]["trial"] == "1":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return honest(configuration, *arguments, **options)

    monkeypatch.setattr(trials, "run", unlucky)
    code, out, err = run_sweep(study_file("unlucky"))
    assert code == 0, err
    assert "3 of 4 trials complete, 1 failed" in out
    assert "trial 1 failed: OutOfMemoryError: CUDA out of memory" in out
    assert len(in_state(load_study("unlucky", storage), TrialState.FAIL)) == 1


def test_a_row_that_no_memory_holds_fails_alone(study_file, run_sweep, client):
    rows = {"small": {"model.hidden": 3}, "huge": {"model.hidden": 10**14}}
    code, out, _ = run_sweep(study_file("uneven", rows=rows, space=None, trials=None))
    assert code == 0 and "1 of 2 trials complete, 1 failed" in out
    assert "huge   failed: InputError: these sizes do not fit into memory" in out


def test_rows_that_failed_or_are_new(study_file, run_sweep, client, storage, load_study, monkeypatch):
    honest = trials.run
    monkeypatch.setattr(trials, "run", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("a cable was pulled")))
    rows: dict[str, Any] = {"a": {"model.hidden": 3}}
    code, out, _ = run_sweep(study_file("cabled", rows=rows, space=None, trials=None))
    assert code == 1 and "1 failed" in out and "  a  failed: RuntimeError: a cable was pulled" in out
    monkeypatch.setattr(trials, "run", honest)
    rows["b"] = {"model.hidden": 4}
    code, out, err = run_sweep(study_file("cabled", rows=rows, space=None, trials=None))
    assert code == 0, err
    assert "2 of 2 trials complete" in out
    assert_complete(load_study("cabled", storage), client, 2)


def test_a_worker_takes_rows_that_were_added_meanwhile(study_file, run_sweep, client, storage, load_study, monkeypatch):
    honest = trials.run
    rows: dict[str, Any] = {"a": {"model.hidden": 3}}
    longer = read_definition(study_file("grown", rows={**rows, "b": {"model.hidden": 4}}, space=None, trials=None))

    def grow(*arguments: Any, **options: Any) -> Any:
        begin(longer, StudyDatabase(storage))
        return honest(*arguments, **options)

    monkeypatch.setattr(trials, "run", grow)
    code, _, err = run_sweep(study_file("grown", rows=rows, space=None, trials=None))
    assert code == 0, err
    assert_complete(load_study("grown", storage), client, 2)


def test_a_trial_that_workers_die_of_is_given_up(study_file, run_sweep, storage, load_study):
    file = study_file("deadly", trials=1)
    opened = begin(read_definition(file), StudyDatabase(storage))
    for _ in range(MAX_DEATHS):
        (trial,) = claim(opened.study, opened.definition, make_sampler)
        trial.set_user_attr("worker", {**trial.user_attrs["worker"], "process": "1@1"})
    code, out, err = run_sweep(file)
    assert code == 1 and err == "sweep: no trial is complete\n"
    assert "0 of 1 trials complete, 1 failed\ntrial 2 failed: its worker died, 3 times" in out


def test_a_worker_elsewhere_is_believed_as_long_as_its_heart_beats(study_file, storage, load_study):
    opened = begin(read_definition(study_file("distant", trials=1)), StudyDatabase(storage))
    (trial,) = claim(opened.study, opened.definition, make_sampler)
    for age, believed in ((STALE_SECONDS, True), (STALE_SECONDS + 2 * OVERLAP_SECONDS, False)):
        mark = {"host": "elsewhere", "process": "1@1", "heartbeat": str(time.time() - age)}
        trial.set_user_attr("worker", mark)
        again = claim(opened.study, opened.definition, make_sampler)
        assert (again == []) == believed
    assert [each.params for each in again] == [trial.params]


def test_a_trial_that_was_taken_away_is_left_alone(study_file, run_sweep, client, storage, load_study, monkeypatch):
    honest = trials.run
    file = study_file("taken", trials=2)

    def lose(configuration: Any, *arguments: Any, **options: Any) -> Any:
        study = load_study("taken", storage)
        (trial,) = in_state(study, TrialState.RUNNING)
        if trial.number == 0:  # as another machine does that has not heard of this one for minutes
            requeue(study, trial, died=True)
        return honest(configuration, *arguments, **options)

    monkeypatch.setattr(trials, "run", lose)
    code, out, err = run_sweep(file)
    assert code == 0, err
    assert "2 of 2 trials complete" in out
    assert len(in_state(load_study("taken", storage), TrialState.COMPLETE)) == 2


def test_a_tracking_store_that_is_away_costs_no_trial(study_file, run_sweep, client, storage, load_study, monkeypatch):
    honest, refusals = trials.run, [1, 1]

    def away(*arguments: Any, **options: Any) -> Any:
        if refusals:
            refusals.pop()
            raise Unreachable("tracking store http://127.0.0.1 cannot be used")
        return honest(*arguments, **options)

    monkeypatch.setattr(trials, "run", away)
    code, _, err = run_sweep(study_file("patient", trials=2))
    assert code == 0, err
    assert_complete(load_study("patient", storage), client, 2)


def test_failures_in_a_row_end_the_study(study_file, run_sweep, storage, load_study, client):
    diverging = {"model.optimizer": ["SGD"], "model.optimizer.lr": {"float": [1e20, 1e30]}}
    code, _, err = run_sweep(study_file("hopeless", space=diverging, trials=9, max_failures=3))
    assert code == 1 and "3 trials failed in a row" in err and "smaller learning rate" in err
    study = load_study("hopeless", storage)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL] * 3
    assert client.get_run(study.user_attrs["mlflow_run"]).info.status == "FAILED"
