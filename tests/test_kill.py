"""A run killed without warning at any moment, and resumed, is the run that was never killed."""

import os
import random
import time
from multiprocessing import get_context
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lit_anndl import fit
from tests.support.processes import assert_equal_runs, runs, wait_until

# Forked from a process that has loaded torch: starting forty interpreters would take minutes.
PROCESSES = get_context("forkserver")
EXERCISES = {
    "surface": "lit_anndl.exercises.supervised.surface",
    "mnist_cnn": "lit_anndl.exercises.supervised.mnist_cnn",
    "gan": "lit_anndl.exercises.generative.gan",
}
PROCESSES.set_forkserver_preload(["lit_anndl.runs.resume", "lit_anndl.runs.run", *EXERCISES.values()])

MOMENTS = 10
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


def run_command(words: list[str], store: str) -> None:
    """What a process does."""
    os.environ["MLFLOW_TRACKING_URI"] = store
    raise SystemExit(fit.main(words))


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('kill') / 'mlflow.db'}"


@pytest.fixture(scope="module")
def references(store, digits) -> dict[str, str]:
    """The ids of uninterrupted runs."""
    client, found = MlflowClient(store), {}
    for exercise in EXERCISES:
        process = PROCESSES.Process(target=run_command, args=(words(exercise, digits), store))
        process.start()
        process.join()
        assert process.exitcode == 0
        found[exercise] = runs(client)[0].info.run_id
    return found


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_and_resumed_is_uninterrupted(exercise, moment, store, references, digits):
    client = MlflowClient(store)
    before = {run.info.run_id for run in runs(client)}
    process = PROCESSES.Process(target=run_command, args=(words(exercise, digits), store))
    process.start()
    wait_until(lambda: {run.info.run_id for run in runs(client)} - before)
    time.sleep(random.Random(f"{exercise} {moment}").uniform(0, SECONDS))
    process.kill()
    process.join()
    (run_id,) = {run.info.run_id for run in runs(client)} - before
    if client.get_run(run_id).info.status != "FINISHED":
        process = PROCESSES.Process(target=run_command, args=([exercise, "--resume", run_id], store))
        process.start()
        process.join()  # refused where the run had finished and only not said so yet: that is delivered first
    assert_equal_runs(client, run_id, references[exercise])
