"""A run killed without warning at any moment, and resumed, is the run that was never killed."""

import random
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.support.processes import assert_equal_runs, finish, runs, start, wait_until

EXERCISES = ("surface", "mnist_cnn", "gan")
MOMENTS = 5
SECONDS = 2.5
"""About the length of a run: moments beyond its end must do no harm either."""


def words(exercise: str, digits: Path) -> list[str]:
    if exercise == "surface":
        return ["surface", "--trainer.max_epochs", "500", "--checkpoint.every_n_epochs", "60"]
    data = ["--data.directory", str(digits), "--data.batch_size", "16", "--data.steps_per_execution", "4"]
    if exercise == "gan":  # two optimizers, one of which waits and then steps half as often
        turns = ["--model.discriminator_head_start", "50", "--model.discriminator_steps", "2"]
        nets = ["--model.nets.hidden", "[16]", "--model.quality_samples", "0", "--model.fid_samples", "20"]
        return ["gan", *data, *turns, *nets, "--model.snapshot_epochs", "3", "--trainer.max_epochs", "12"]
    return ["mnist_cnn", *data, "--trainer.max_epochs", "8"]


@pytest.fixture(scope="module")
def store(tmp_path_factory, make_store) -> str:
    return make_store(tmp_path_factory.mktemp("kill"))


@pytest.fixture(scope="module")
def references(store, digits) -> dict[str, str]:
    """The ids of uninterrupted runs."""
    client, found = MlflowClient(store), {}
    for exercise in EXERCISES:
        assert finish(*words(exercise, digits), store=store)[0] == 0
        found[exercise] = runs(client)[0].info.run_id
    return found


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_and_resumed_is_uninterrupted(exercise, moment, store, references, digits):
    client = MlflowClient(store)
    before = {run.info.run_id for run in runs(client)}
    process = start(*words(exercise, digits), store=store)
    wait_until(lambda: {run.info.run_id for run in runs(client)} - before)
    time.sleep(random.Random(f"{exercise} {moment}").uniform(0, SECONDS))
    process.kill()
    process.wait()
    (run_id,) = {run.info.run_id for run in runs(client)} - before
    if client.get_run(run_id).info.status != "FINISHED":
        # Refused where the run had finished and only not said so yet: that is delivered first.
        finish(exercise, "--resume", run_id, store=store)
    assert_equal_runs(client, run_id, references[exercise])
