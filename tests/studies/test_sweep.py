"""The command `sweep`, as its users type it: searches, rows, and what they leave."""

import statistics
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from lit_anndl.studies.samplers import make_sampler
from lit_anndl.studies.study_file import read_definition
from tests.studies.conftest import assert_complete, in_state


def artifacts(client: Any, run_id: str, folder: str) -> set[str]:
    return {item.path.rpartition("/")[2] for item in client.list_artifacts(run_id, folder)}


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


@pytest.mark.filterwarnings("ignore:QMCSampler is experimental")
@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "qmc"])
def test_what_a_failed_trial_had_is_not_drawn_again(sampler, study_file):
    definition = read_definition(study_file(f"drawn_by_{sampler}", sampler=sampler))
    study = optuna.create_study()
    drawn = set()
    for place in range(4):
        study.sampler = make_sampler(definition, place)
        trial = study.ask({"model.optimizer.lr": FloatDistribution(0.001, 1.0, log=True)})
        drawn.add(trial.params["model.optimizer.lr"])
        study.tell(trial, state=TrialState.FAIL)
    assert len(drawn) == 4


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


def test_the_time_of_a_study(study_file, run_sweep, storage, load_study, client):
    code, _, err = run_sweep(study_file("timed", trials=None, timeout=5))
    assert code == 0, err
    study = load_study("timed", storage)
    assert_complete(study, client, len(study.trials))


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
