"""Seeds that are trained as one program are the runs that they would be alone."""

from pathlib import Path

import pytest
import torch
from optuna.trial import TrialState

from lit_anndl.data.surface import SurfaceData
from lit_anndl.runtime.records import SHARED_BY
from tests.studies.conftest import in_state

ROWS = {
    "SGD": {"model.optimizer": "SGD", "model.optimizer.lr": 0.1, "data.batch_size": 7},
    "dropout": {"model.dropout": 0.2, "model.jitter": 0.1, "model.l2": 0.001, "model.activation": "tanh"},
    "bagging": {"model.members": 3, "data.resamples": 3, "data.batch_size": 20},
}
SETTINGS = {
    "trainer.max_epochs": 100,
    "trainer.precision": "64-true",
    "data.grid_size": 10,
    "data.validation_size": 20,
    "model.hidden": 5,
    "checkpoint.every_n_epochs": 25,
}
SEEDS = [0, 1]


def runs_of(client, study):
    """The runs of a study by row and seed."""
    experiment = client.get_experiment_by_name("surface").experiment_id
    found = client.search_runs([experiment], f"tags.study = '{study}' and tags.trial != ''")
    return {(run.data.tags["row"], run.data.tags["seed"]): run for run in found}


def weights_of(client, run, folder: Path):
    file = client.download_artifacts(run.info.run_id, "checkpoints/last.ckpt", str(folder))
    return torch.load(file, weights_only=True)


def test_each_seed_is_the_run_that_it_would_be_alone(study_file, run_sweep, client, tmp_path):
    for name in ("auto", "never"):
        entries = {"rows": ROWS, "space": None, "trials": None, "sampler": None, "seeds": SEEDS}
        file = study_file(name, **entries, overrides=SETTINGS, metric="test/mse")
        code, _, err = run_sweep(file, "--seeds_together", name)
        assert code == 0, err
    together, alone = runs_of(client, "auto"), runs_of(client, "never")
    assert together.keys() == alone.keys()
    assert len(together) == len(ROWS) * len(SEEDS)
    for (row, seed), run in together.items():
        other = alone[row, seed]
        assert run.data.metrics[SHARED_BY] == 2
        assert SHARED_BY not in other.data.metrics
        ours, theirs = run.data.metrics, other.data.metrics
        assert ours.keys() == theirs.keys() | {SHARED_BY}
        for metric in (name for name in theirs if not name.startswith("seconds/")):
            assert ours[metric] == pytest.approx(theirs[metric], abs=1e-9), (row, seed, metric)
        mine, its = weights_of(client, run, tmp_path), weights_of(client, other, tmp_path)
        assert mine["global_step"] == its["global_step"]
        torch.testing.assert_close(mine["state_dict"], its["state_dict"], rtol=0, atol=1e-9)
        states = (each["optimizer_states"][0]["state"] for each in (mine, its))
        assert len({str({k: sorted(v) for k, v in state.items()}) for state in states}) == 1
        names = [{each.path for each in client.list_artifacts(r.info.run_id, "figures")} for r in (run, other)]
        assert names[0] == names[1]


def test_a_seed_that_diverges_fails_alone(study_file, run_sweep, client, storage, load_study, monkeypatch):
    honest = SurfaceData.setup

    def poisoned(data, stage):
        honest(data, stage)
        if data.seed == 1:
            data.train = (data.train[0], 1e30 * data.train[1])

    monkeypatch.setattr(SurfaceData, "setup", poisoned)
    entries = {"rows": {"SGD": ROWS["SGD"]}, "space": None, "trials": None, "sampler": None, "seeds": [0, 1, 2]}
    settings = {**SETTINGS, "trainer.max_epochs": 3, "trainer.precision": "32-true"}
    assert run_sweep(study_file("wild", **entries, overrides=settings, metric="test/mse"))[0] == 1
    statuses = {seed: run.info.status for (_, seed), run in runs_of(client, "wild").items()}
    assert statuses == {"0": "FINISHED", "1": "FAILED", "2": "FINISHED"}
    (trial,) = in_state(load_study("wild", storage), TrialState.FAIL)
    assert sorted(trial.user_attrs["metrics"]) == ["0", "2"]
    assert "mse is inf at step 0 of epoch 0" in trial.user_attrs["error"]


def test_optimizers_that_look_at_all_weights_train_one_seed_after_the_other(study_file, run_sweep, client):
    rows = {"L-BFGS": {"model.optimizer": "LBFGS", "data.batch_size": 80}}
    entries = {"rows": rows, "space": None, "trials": None, "sampler": None, "seeds": SEEDS}
    settings = {**SETTINGS, "trainer.max_epochs": 3}
    assert run_sweep(study_file("single", **entries, overrides=settings, metric="test/mse"))[0] == 0
    assert not [run for run in runs_of(client, "single").values() if SHARED_BY in run.data.metrics]
