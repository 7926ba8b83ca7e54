"""Study files and words that are refused, in one line and before anything is begun."""

from dataclasses import fields

import pytest

from lit_anndl.studies.definition import Definition
from tests.support.refusals import assert_refused

MAY_BE_NULL = {"trials", "timeout", "storage"}


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
        ({"seeds": [0, 2**32]}, "expected different whole numbers below 4294967296"),
        ({"seeds": []}, "seeds: [] was given"),
        ({"overrides": {"trainer.fast_dev_run": True}}, "the runs of a study are whole ones"),
        ({"rows": {"": {"model.hidden": 3}}, "space": None}, "rows: '' was given, expected names"),
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
    assert_refused(run_sweep(study_file(**entries)), message, name="sweep")
    assert len(client.search_runs([e.experiment_id for e in client.search_experiments()])) == before
    assert not (tmp_path / "optuna.db").exists()


@pytest.mark.parametrize("key", sorted({each.name for each in fields(Definition)} - MAY_BE_NULL))
def test_keys_that_are_null(key, study_file, run_sweep, tmp_path):
    file = study_file()
    file.write_text(f"{file.read_text()}\n{key}: null\n")
    assert_refused(run_sweep(file), key, name="sweep")
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
    assert_refused(run_sweep(*words), message, name="sweep")


def test_wrong_options(study_file, run_sweep):
    assert_refused(run_sweep(study_file(), "--trails", "3"), "did you mean trials?", name="sweep")


def test_a_mistyped_key_above_others_is_told_itself(tmp_path, run_sweep):
    (tmp_path / "typo.yaml").write_text("exercise: surface\nrowz: {Adam: {model.optimizer: Adam}}\nmetric: train/mse\n")
    code, _, err = run_sweep(tmp_path / "typo.yaml")
    assert (code, err) == (2, "sweep: rowz: there is no such setting; did you mean rows?\n")
