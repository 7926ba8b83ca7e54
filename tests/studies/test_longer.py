"""A study goes on, by its file or its name, and gets longer: what is done is kept."""

import statistics
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from tests.studies.conftest import assert_complete, in_state

ROWS: dict[str, Any] = {
    "space": None,
    "trials": None,
    "sampler": None,
    "rows": {
        "Adam": {"model.optimizer": "Adam", "model.optimizer.lr": 0.01, "model.hidden": [3]},
        "SGD": {"model.optimizer": "SGD", "model.optimizer.lr": 1, "model.hidden": [3, 5]},
    },
}


def test_a_study_gets_more_trials_and_never_fewer(study_file, run_sweep, client, storage, load_study, caplog):
    file = study_file("longer", trials=3)
    assert run_sweep(file)[0] == 0
    study = load_study("longer", storage)
    values = [trial.value for trial in study.trials]
    assert run_sweep(file)[0] == 0
    assert [trial.value for trial in study.trials] == values
    assert client.get_run(study.user_attrs["mlflow_run"]).info.status == "FINISHED"
    assert run_sweep("longer", "--trials", "5")[0] == 0
    assert not caplog.messages
    assert run_sweep(file)[0] == 0
    assert caplog.messages == ["trials: 3 was given; study longer keeps 5"]
    assert [trial.value for trial in study.trials][:3] == values
    assert_complete(study, client, 5)


@pytest.mark.parametrize("entries", [ROWS, {"trials": 2}], ids=["rows", "search"])
def test_seeds_are_added_and_those_that_are_done_stay_done(entries, study_file, run_sweep, client, storage, load_study):
    name = "seeded_" + ("rows" if "rows" in entries else "search")
    assert run_sweep(study_file(name, **entries))[0] == 0
    study = load_study(name, storage)
    before = {run for trial in study.trials for run in trial.user_attrs["runs"].values()}
    code, out, err = run_sweep(name, "--seeds", "[0, 1, 2]")
    assert code == 0, err
    assert "2 of 2 trials complete" in out
    assert_complete(study, client, 2, seeds=3)
    for trial in in_state(study, TrialState.COMPLETE):
        assert trial.user_attrs["runs"]["0"] in before
        values = [metrics["val/mse"] for metrics in trial.user_attrs["metrics"].values()]
        assert trial.value == statistics.median(values) and len(values) == 3
    if "rows" not in entries:
        best = min(in_state(study, TrialState.COMPLETE), key=lambda trial: trial.value)
        assert f"best val/mse {best.value:.4g} (median of seeds [0, 1, 2], trial {best.number})" in out
    assert out.endswith(run_sweep(name)[1])  # nothing is left to do


def test_other_seeds_are_another_study(study_file, run_sweep):
    file = study_file("other_seeds", trials=1)
    assert run_sweep(file)[0] == 0
    code, out, err = run_sweep(file, "--seeds", "[1, 2]")
    assert (code, out) == (2, "")
    assert "seeds: [1, 2] was given, but study other_seeds has [0]; expected these and further" in err


def test_rows_have_their_settings_as_parameters(study_file, run_sweep, storage, load_study):
    assert run_sweep(study_file("shown", **ROWS))[0] == 0
    entries: dict[str, Any] = {**ROWS, "rows": {**ROWS["rows"], "Rprop": {"model.optimizer": "Rprop"}}}
    assert run_sweep(study_file("shown", **entries))[0] == 0
    trials = load_study("shown", storage).trials
    assert [trial.params for trial in trials] == [
        {"model.optimizer": "Adam", "model.optimizer.lr": 0.01, "model.hidden": "[3]"},
        {"model.optimizer": "SGD", "model.optimizer.lr": 1.0, "model.hidden": "[3, 5]"},
        {},  # Optuna keeps the choices that a study began with
    ]
    assert trials[0].distributions["model.optimizer"] == CategoricalDistribution(["Adam", "SGD"])
    assert trials[0].distributions["model.optimizer.lr"] == FloatDistribution(0.01, 1)


def test_a_name_that_no_study_has(run_sweep, study_file, monkeypatch, tmp_path):
    assert run_sweep(study_file("first", trials=1))[0] == 0
    code, out, err = run_sweep("frist")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert "there is no study frist" in err and "it has first; the file of a study ends in .yaml" in err
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweeps").mkdir()
    study_file("frist").rename(tmp_path / "sweeps" / "frist.yaml")
    assert "begin it with its file, sweeps/frist.yaml" in run_sweep("frist")[2]
