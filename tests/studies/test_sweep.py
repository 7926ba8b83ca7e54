"""`python -m lit_anndl.sweep` as a user types it."""

import statistics
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from optuna.trial import TrialState

from lit_anndl.runtime.errors import Unreachable
from lit_anndl.runtime.liveness import STALE_SECONDS
from lit_anndl.studies import trial as trials
from lit_anndl.studies.claiming import OVERLAP_SECONDS, claim
from lit_anndl.studies.database import StudyDatabase
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.queue import MAX_DEATHS, requeue
from lit_anndl.studies.samplers import make_sampler
from lit_anndl.studies.study import begin
from lit_anndl.studies.study_file import read_definition
from tests.studies.conftest import assert_complete, in_state

MAY_BE_NULL = {"trials", "timeout", "storage"}


def artifacts(client: Any, run_id: str, folder: str) -> set[str]:
    return {item.path.rpartition("/")[2] for item in client.list_artifacts(run_id, folder)}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"exercise": "surfac"}, "did you mean surface?"),
        ({"exercise": None}, "exercise"),
        ({"metrics": "val/mse"}, "metric"),
        ({"metric": "val/accuracy"}, "there is no val/accuracy"),
        ({"metric": "test/mse"}, "the test set chooses nothing"),
        ({"overrides": {"trainer.max_epochs": 3}}, "needs validation data"),
        ({"overrides": {"trainer.max_epoch": 3}}, "did you mean trainer.max_epochs?"),
        ({"overrides": {"seed_everything": 3}}, "seeds: [0, 1, …]"),
        ({"rows": {"a": {"trainer.logger": False}}, "space": None}, "always recorded"),
        ({"name": "it's"}, "expected letters"),
        ({"pruner": "median", "overrides": {"trainer.max_epochs": -1, "data.validation_size": 20}}, "number of epochs"),
        ({"overrides": {"model.hidden": 3, "data.validation_size": 20}}, "in the overrides and in the space"),
        ({"space": {}}, "found none"),
        ({"rows": {"a": {"model.hidden": 3}}}, "found both"),
        ({"space": {"model.hiden": [1]}}, "did you mean model.hidden?"),
        ({"space": {"model.hidden": [3, -3]}}, "a whole number > 0"),
        ({"space": {"model.optimizer": ["Adam", "Adm"]}}, "did you mean Adam"),
        ({"space": {"model.hidden": {"int": [9, 3]}}}, "upside down"),
        ({"space": {"model.optimizer.lr": {"float": [0.1, 1]}}, "sampler": "grid"}, "a grid needs"),
        ({"sampler": "tpee"}, "tpe"),
        ({"pruner": "medium"}, "median"),
        ({"seeds": [0, 0]}, "expected different whole numbers"),
        ({"seeds": [-1]}, "seeds"),
        ({"trials": None}, "expected a number of trials"),
        ({"trials": 0}, "whole number > 0"),
        ({"sampler_seed": 10**12}, "sampler_seed: 1000000000000 was given, expected less than 2147483648"),
        ({"space": {"model.hidden": [10**14, 3]}}, "do not fit into memory"),
        ({"rows": {"huge": {"data.grid_size": 10**7}}, "space": None}, "do not fit into memory"),
        ({"rows": {1: {"model.hidden": 3}}, "space": None}, "rows: 1 was given as a key, expected text"),
        ({"rows": {"a": {"model.hidden": 3, True: 3}}, "space": None}, "rows.a: True was given as a key"),
        ({"slurm": {"partitoin": "gpu"}}, "partition"),
        ({"storage": "mysql://host/db"}, "expected sqlite:///FILE or postgresql://"),
        ({"launcher": "slurm"}, "no sbatch"),
        ({"metric": "test/mes", "space": None}, "metric: there is no test/mes; did you mean test/mse?"),
        ({"rows": {"a": {"model.hidden": 3}}, "space": None, "pruner": "median"}, "leave it out"),
    ],
)
def test_wrong_study_files(entries, message, study_file, run_sweep, client, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))  # no sbatch
    before = len(client.search_runs([e.experiment_id for e in client.search_experiments()]))
    code, out, err = run_sweep(study_file(**entries))
    assert (code, out) == (2, "")
    assert message in err and err.startswith("sweep: ") and err.count("\n") == 1
    assert len(client.search_runs([e.experiment_id for e in client.search_experiments()])) == before
    assert not (tmp_path / "optuna.db").exists()


@pytest.mark.parametrize("key", sorted({each.name for each in fields(Definition)} - MAY_BE_NULL))
def test_keys_that_are_null(key, study_file, run_sweep, tmp_path):
    file = study_file()
    file.write_text(f"{file.read_text()}\n{key}: null\n")
    code, out, err = run_sweep(file)
    assert (code, out) == (2, "")
    assert key in err and err.startswith("sweep: ") and err.count("\n") == 1
    assert not (tmp_path / "optuna.db").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trials", "3"], "the study file comes first"),
        (["nowhere.yaml"], "nowhere.yaml: No such file"),
        (["--status", "nothing"], "there is no study nothing"),
        (["--status"], "expected --status STUDY"),
    ],
)
def test_wrong_words(words, message, run_sweep):
    code, _, err = run_sweep(*words)
    assert code == 2 and message in err and err.count("\n") == 1


def test_wrong_options(study_file, run_sweep):
    code, _, err = run_sweep(study_file(), "--trails", "3")
    assert code == 2 and "did you mean trials?" in err and err.count("\n") == 1


def test_a_search(study_file, run_sweep, command, client, storage, load_study, tmp_path):
    code, out, err = run_sweep(study_file("search", trials=5))
    assert code == 0, err
    study = load_study("search", storage)
    assert_complete(study, client, 5)
    parent = study.user_attrs["mlflow_run"]
    pictures = {"history.png", "slices.png", "parallel_coordinates.png", "importance.png"}
    assert artifacts(client, parent, "figures") == pictures
    assert artifacts(client, parent, "tables") == {"trials.json"}
    # The command that it prints, and the file that it stores, give the best trial again.
    (again,) = [line.removeprefix("again: ") for line in out.splitlines() if line.startswith("again: ")]
    run = command.run(*again.split()[3:])
    assert run.data.metrics["val/mse"] == study.best_value
    best = client.download_artifacts(parent, "best.yaml", str(tmp_path))
    same = command.run("surface", "--config", best)
    assert same.data.params == run.data.params


def test_rows_and_seeds(study_file, run_sweep, client, storage, load_study):
    rows = {"narrow": {"model.hidden": 3}, "wide": {"model": {"hidden": 30}}}
    file = study_file("table", rows=rows, space=None, trials=None, seeds=[0, 1, 2], metric="test/mse")
    code, out, err = run_sweep(file)
    assert code == 0, err
    study = load_study("table", storage)
    assert [trial.user_attrs["row"] for trial in study.trials] == ["narrow", "wide"]
    for trial in study.trials:
        runs = [client.get_run(run_id) for run_id in trial.user_attrs["runs"].values()]
        assert [run.data.params["seed_everything"] for run in runs] == ["0", "1", "2"]
        assert {run.data.params["model.hidden"] for run in runs} == {
            str({"narrow": 3, "wide": 30}[runs[0].data.tags["row"]])
        }
        values = [run.data.metrics["test/mse"] for run in runs]
        assert trial.value == pytest.approx(statistics.median(values))
        assert f"{statistics.median(values):.4g} ({min(values):.4g}–{max(values):.4g})" in out
    parent = study.user_attrs["mlflow_run"]
    assert artifacts(client, parent, "tables") == {"rows.json", "trials.json"}
    assert artifacts(client, parent, "figures") == {"rows.png", "curves_train_mse.png", "curves_val_mse.png"}


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid", "gp", "qmc"])
def test_samplers(sampler, study_file, run_sweep, storage, load_study):
    space = {"model.hidden": [3, 5], "data.batch_size": {"int": [10, 50], "step": 20}}
    name = f"by_{sampler}"
    code, _, err = run_sweep(study_file(name, sampler=sampler, space=space, trials=3))
    assert code == 0, err
    found = [tuple(trial.params.values()) for trial in load_study(name, storage).trials]
    assert len(found) == (6 if sampler == "grid" else 3)
    assert len(set(found)) == 6 or sampler != "grid"


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_pruned_is_not_failed(pruner, study_file, run_sweep, client, storage, load_study):
    overrides = {"trainer.max_epochs": 20, "data.grid_size": 10, "data.validation_size": 20}
    rates = {"model.optimizer.lr": {"float": [1e-6, 1e-2], "log": True}}
    name = f"pruned_by_{pruner}"
    code, out, err = run_sweep(study_file(name, pruner=pruner, overrides=overrides, space=rates, trials=14))
    assert code == 0, err
    study = load_study(name, storage)
    pruned = in_state(study, TrialState.PRUNED)
    assert pruned and f"{len(pruned)} pruned" in out
    for trial in pruned:
        run = client.get_run(trial.user_attrs["runs"]["0"])
        assert (run.info.status, run.data.tags["trial_state"]) == ("KILLED", "PRUNED")
        assert "pruned at epoch" in run.data.tags["error"]
    assert len(in_state(study, TrialState.COMPLETE)) + len(pruned) == 14


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
        trial = claim(opened.study, opened.definition, make_sampler)
        assert trial is not None
        trial.set_user_attr("worker", {**trial.user_attrs["worker"], "process": "1@1"})
    code, out, err = run_sweep(file)
    assert code == 1 and err == "sweep: no trial is complete\n"
    assert "0 of 1 trials complete, 1 failed\ntrial 2 failed: its worker died, 3 times" in out


def test_a_worker_elsewhere_is_believed_as_long_as_its_heart_beats(study_file, storage, load_study):
    opened = begin(read_definition(study_file("distant", trials=1)), StudyDatabase(storage))
    trial = claim(opened.study, opened.definition, make_sampler)
    assert trial is not None
    for age, believed in ((STALE_SECONDS, True), (STALE_SECONDS + 2 * OVERLAP_SECONDS, False)):
        mark = {"host": "elsewhere", "process": "1@1", "heartbeat": str(time.time() - age)}
        trial.set_user_attr("worker", mark)
        again = claim(opened.study, opened.definition, make_sampler)
        assert (again is None) == believed
    assert again is not None and again.params == trial.params


def test_the_time_of_a_study(study_file, run_sweep, storage, load_study, client):
    code, _, err = run_sweep(study_file("timed", trials=None, timeout=5))
    assert code == 0, err
    study = load_study("timed", storage)
    assert_complete(study, client, len(study.trials))


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


def test_status(study_file, run_sweep):
    run_sweep(study_file("watched", trials=2))
    code, out, err = run_sweep("--status", "watched")
    assert code == 0, err
    assert out.startswith("study watched: 2 of 2 trials complete\nbest val/mse ")


def test_the_study_file_is_the_parent_s_configuration(study_file, run_sweep, client, storage, load_study, tmp_path):
    file = study_file("documented", trials=1)
    assert run_sweep(file)[0] == 0
    parent = load_study("documented", storage).user_attrs["mlflow_run"]
    stored = yaml.safe_load(Path(client.download_artifacts(parent, "config.yaml", str(tmp_path))).read_text())
    written = yaml.safe_load(file.read_text())
    assert {key: stored[key] for key in written} == written


def test_what_a_study_varies_is_a_parameter_of_each_run(study_file, run_sweep, client):
    rows = {"every": {"trainer.check_val_every_n_epoch": 1}, "second": {"model.optimizer.amsgrad": True}}
    code, _, err = run_sweep(study_file("varied", trials=None, sampler=None, space=None, rows=rows))
    assert code == 0, err
    experiment = client.get_experiment_by_name("surface").experiment_id
    runs = client.search_runs([experiment], "tags.study = 'varied' and tags.row != ''")
    varied = {"trainer.check_val_every_n_epoch", "model.optimizer.amsgrad"}
    assert {run.data.tags["row"]: {run.data.params[key] for key in varied} for run in runs} == {
        "every": {"1", "False"},
        "second": {"1", "True"},
    }
    assert {key for key in runs[0].data.params if key.startswith("trainer.")} == {
        "trainer.check_val_every_n_epoch",
        "trainer.max_epochs",
    }


def test_a_mistyped_key_above_others_is_told_itself(tmp_path, run_sweep):
    (tmp_path / "typo.yaml").write_text("exercise: surface\nrowz: {Adam: {model.optimizer: Adam}}\nmetric: train/mse\n")
    code, _, err = run_sweep(tmp_path / "typo.yaml")
    assert (code, err) == (2, "sweep: rowz: there is no such setting; did you mean rows?\n")
