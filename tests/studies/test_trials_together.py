"""Trials that are trained as one program are the trials that they would be alone."""

import signal

import pytest
from optuna.trial import TrialState

from lit_anndl.runtime.records import SHARED_BY
from lit_anndl.studies.claiming import claim
from lit_anndl.studies.database import StudyDatabase
from lit_anndl.studies.samplers import make_sampler
from lit_anndl.studies.study import begin, load
from lit_anndl.studies.study_file import read_definition
from lit_anndl.studies.worker import next_trials, run_trials
from tests.studies.conftest import assert_complete, in_state, start_sweep
from tests.support.processes import checkpoint, wait_until

SPACE = {
    "model.optimizer": ["SGD", "LBFGS"],
    "model.optimizer.lr": [0.01, 0.001],
    "model.optimizer.momentum": {"choice": [0.0, 0.9], "when": {"model.optimizer": "SGD"}},
}
"""A grid of four by SGD, which learn together, and two by L-BFGS."""
SETTINGS = {
    "trainer.max_epochs": 40,
    "trainer.precision": "64-true",
    "data.grid_size": 10,
    "data.validation_size": 20,
    "model.hidden": 5,
    "checkpoint.every_n_epochs": 20,
}
TRIALS = 6


def trials_of(study):
    """The complete trials by their place."""
    return {trial.user_attrs["place"]: trial for trial in in_state(study, TrialState.COMPLETE)}


def sharing(client, study):
    """By how many runs the seconds of each complete trial's runs were shared, None for those of its own."""
    runs = [run for trial in in_state(study, TrialState.COMPLETE) for run in trial.user_attrs["runs"].values()]
    return [client.get_run(run).data.metrics.get(SHARED_BY) for run in runs]


def test_each_trial_is_the_one_that_it_would_be_alone(study_file, run_sweep, client, storage, load_study):
    for name, number in (("solo", 1), ("crew", TRIALS)):
        file = study_file(name, space=SPACE, sampler="grid", trials=None, overrides=SETTINGS)
        code, out, err = run_sweep(file, "--together", number)
        assert code == 0 and "failed" not in out, out + err
        assert_complete(load_study(name, storage), client, TRIALS)
    ours, theirs = (trials_of(load_study(name, storage)) for name in ("crew", "solo"))
    assert {place: trial.params for place, trial in ours.items()} == {
        place: trial.params for place, trial in theirs.items()
    }
    for place in ours:
        run, other = (client.get_run(each[place].user_attrs["runs"]["0"]).data for each in (ours, theirs))
        assert run.metrics.keys() - {SHARED_BY} == other.metrics.keys()
        for metric in (name for name in other.metrics if not name.startswith("seconds/")):
            assert run.metrics[metric] == pytest.approx(other.metrics[metric], abs=1e-9), (place, metric)
    assert sharing(client, load_study("solo", storage)) == [None] * TRIALS
    assert sorted(map(str, sharing(client, load_study("crew", storage)))) == ["4.0"] * 4 + ["None"] * 2


def test_rows_of_several_rates_and_seeds_are_one_program(study_file, run_sweep, client, storage, load_study):
    rows = {f"rate {rate}": {"model.optimizer.lr": rate} for rate in (0.1, 0.01)}
    entries = {"rows": rows, "space": None, "trials": None, "sampler": None, "seeds": [0, 1]}
    code, _, err = run_sweep(study_file("rates", **entries), "--together", 3)
    assert code == 0, err
    study = load_study("rates", storage)
    assert_complete(study, client, 2, seeds=2)
    assert sharing(client, study) == [4] * 4


def test_a_trial_that_diverges_fails_alone(study_file, run_sweep, client, storage, load_study):
    space = {"model.optimizer": ["SGD"], "model.optimizer.lr": [0.1, 1e30, 0.01]}
    file = study_file("wild batch", space=space, sampler="grid", trials=None)
    code, out, err = run_sweep(file, "--together", 3)
    assert code == 0, err
    assert "2 of 3 trials complete, 1 failed" in out
    study = load_study("wild batch", storage)
    assert sharing(client, study) == [3] * 2
    (failed,) = in_state(study, TrialState.FAIL)
    assert failed.params["model.optimizer.lr"] == 1e30
    assert "smaller learning rate" in failed.user_attrs["error"]


def test_failures_in_a_row_are_those_of_trials_in_a_row(study_file, run_sweep, storage, load_study):
    """What diverges ends first, all of a batch before any that learns."""
    rows = {f"rate {rate}": {"model.optimizer.lr": rate} for rate in (1e30, 0.1, 1e29, 0.01)}
    entries = {"rows": rows, "space": None, "trials": None, "sampler": None, "max_failures": 2}
    code, out, err = run_sweep(study_file("scattered", **entries), "--together", 3)
    assert code == 0, err
    assert "2 of 4 trials complete, 2 failed" in out


def test_what_is_pruned_leaves_the_others(study_file, run_sweep, storage, load_study, client):
    space = {"model.optimizer": ["SGD"], "model.optimizer.lr": {"float": [1e-7, 1e-1], "log": True}}
    settings = {**SETTINGS, "trainer.max_epochs": 10}
    file = study_file("pruned", space=space, trials=12, pruner="median", overrides=settings)
    code, _, err = run_sweep(file, "--together", 6)
    assert code == 0, err
    study = load_study("pruned", storage)
    pruned, complete = (in_state(study, state) for state in (TrialState.PRUNED, TrialState.COMPLETE))
    assert pruned and len(pruned) + len(complete) == 12
    assert min(complete, key=lambda trial: trial.value) == study.best_trial
    assert None not in sharing(client, study)


def outcomes(study):
    """The settings of each complete trial and what each of its seeds has come to, by its place."""
    return {
        place: (trial.params, {seed: metrics["val/mse"] for seed, metrics in trial.user_attrs["metrics"].items()})
        for place, trial in trials_of(study).items()
    }


def saved(client, study):
    """The checkpoints that there are of a study's runs."""
    begun = [client.get_run(run) for trial in study.trials for run in trial.user_attrs.get("runs", {}).values()]
    return [path for path in map(checkpoint, begun) if path.exists()]


TWO_TRIALS = {"space": {"model.optimizer.lr": {"float": [1e-3, 1e-1], "log": True}}, "trials": 2, "together": 3}
TWO_SEEDS = {"rows": {"SGD": {}}, "seeds": [0, 1], "space": None, "trials": None, "sampler": None}


@pytest.mark.parametrize(
    ("batch", "signum"),
    [(TWO_TRIALS, signal.SIGTERM), (TWO_TRIALS, signal.SIGKILL), (TWO_SEEDS, signal.SIGKILL)],
    ids=["trials ended", "trials killed", "seeds killed"],
)
def test_an_interrupted_batch_goes_on_as_if_it_had_not_been(
    batch, signum, study_file, run_sweep, client, storage, load_study, request
):
    settings = {**SETTINGS, "trainer.max_epochs": 200, "trainer.precision": "32-true", "data.batch_size": 10}
    entries = {**batch, "overrides": {**settings, "model.optimizer": "SGD"}}
    case, seeds = request.node.callspec.id, len(batch.get("seeds", [0]))
    assert run_sweep(study_file(f"{case} unbroken", **entries))[0] == 0
    file = study_file(case, **entries)
    process = start_sweep(file)
    study = load_study(case, storage)
    wait_until(lambda: len(saved(client, study)) == 2 or process.poll(), 120)
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (-9 if signum == signal.SIGKILL else 143), err
    code, _, err = run_sweep(file)
    assert code == 0, err
    assert_complete(study, client, 2 // seeds, seeds)
    unbroken = load_study(f"{case} unbroken", storage)
    assert sharing(client, unbroken) == [2] * 2
    assert outcomes(study) == outcomes(unbroken)


def test_a_trial_that_a_worker_has_died_of_is_run_alone(study_file, run_sweep, storage, load_study, client):
    opened = begin(read_definition(study_file("deaths", trials=4)), StudyDatabase(storage))
    for trial in claim(opened.study, opened.definition, make_sampler, 2):
        trial.set_user_attr("worker", {**trial.user_attrs["worker"], "process": "1@1"})
    for _ in range(2):
        (trial,) = claim(opened.study, opened.definition, make_sampler, 4)
        assert trial.user_attrs["deaths"] == 1
        trial.set_user_attr("metrics", {"0": {"val/mse": 0.0}})
        opened.study.tell(trial, 0.0)
    assert len(claim(opened.study, opened.definition, make_sampler, 4)) == 2


def test_what_cannot_be_trained_together_waits_for_whoever_comes_next(study_file, storage):
    space = {"model.optimizer": ["LBFGS", "SGD"], "model.optimizer.lr": [0.001, 0.01]}
    file = study_file("mixed", space=space, sampler="grid", trials=None)
    opened = begin(read_definition(file, ["--together", "4"]), StudyDatabase(storage))
    taken, left = [], []
    while trials := next_trials(opened):
        taken.append(len(trials))
        assert {ending.state for ending in run_trials(trials, opened)} == {TrialState.COMPLETE}
        left.append(opened.counts()["WAITING"])
    assert (taken, left) == ([4, 1, 1], [2, 1, 0])
    assert len(in_state(opened.study, TrialState.COMPLETE)) == 4


def test_trials_taken_at_once_are_no_more_than_the_study_has(study_file, storage):
    opened = begin(read_definition(study_file("few", trials=3)), StudyDatabase(storage))
    taken = claim(opened.study, opened.definition, make_sampler, 5)
    assert [trial.number for trial in taken] == [0, 1, 2]
    assert claim(opened.study, opened.definition, make_sampler, 5)[0].number == 3  # the first one's copy: put back
    assert len(opened.trials()) == 3


def test_how_trials_are_trained_reaches_workers_of_their_own_and_may_change(study_file, storage):
    file, database = study_file("kept"), StudyDatabase(storage)
    for together, seeds in (("4", "never"), ("1", "auto")):
        begin(read_definition(file, ["--together", together, "--seeds_together", seeds]), database)
        kept = load("kept", database).definition
        assert (str(kept.together), kept.seeds_together) == (together, seeds)


def test_trials_that_cannot_be_trained_together(study_file, run_sweep):
    file = study_file(space={"model.optimizer": ["LBFGS"], "model.hidden": [3, 5]})
    code, _, err = run_sweep(file, "--together", 16)
    assert code == 2
    assert err == ("sweep: together: 16 was given, but no trial of surface can be trained beside others; expected 1\n")
