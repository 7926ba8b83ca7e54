"""The commands as processes of their own, to be killed; imports in one; what they leave in the store."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.support.forked import ForkedCommand

FIT = [sys.executable, "-m", "lit_anndl.fit"]
IMPORT_ALL = """
import importlib, sys
missing, modules = sys.argv[1].split(), sys.argv[2:]
sys.modules.update(dict.fromkeys(missing))  # None: importing it raises ModuleNotFoundError
for module in modules:
    importlib.import_module(module)
"""
Histories = dict[str, list[tuple[int, float]]]


def import_without(missing: Iterable[str], modules: Iterable[str]) -> None:
    """Imports modules, in a process of its own, where some packages are not installed; it must succeed."""
    command = [sys.executable, "-c", IMPORT_ALL, " ".join(missing), *modules]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr


def start(*words: str, store: str, **environment: str) -> ForkedCommand:
    """The command, running."""
    return start_module("lit_anndl.fit", *words, MLFLOW_TRACKING_URI=store, **environment)


def start_module(module: str, *words: str | Path, start_new_session: bool = False, **environment: str) -> ForkedCommand:
    """`python -m MODULE`, running."""
    words = ("-m", module, *map(str, words))
    return ForkedCommand(*words, environment={**os.environ, **environment}, start_new_session=start_new_session)


def start_code(code: str, *words: str | Path, store: str, **environment: str) -> ForkedCommand:
    """`python -c CODE`, running."""
    of_store = {**os.environ, "MLFLOW_TRACKING_URI": store}
    return ForkedCommand("-c", code, *map(str, words), environment={**of_store, **environment})


def finish(*words: str, store: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command."""
    return end_of(start(*words, store=store, **environment))


def deliver(store: str) -> tuple[int, str, str]:
    """What `deliver` returns and prints."""
    return end_of(start_module("lit_anndl.deliver", MLFLOW_TRACKING_URI=store))


def end_of(process: ForkedCommand) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a process, when it has ended."""
    out, err = process.communicate(timeout=300)
    return process.wait(0), out, err


def _nothing_known() -> object:
    return "what was waited for did not happen"


def wait_until(
    condition: Callable[[], object], seconds: float = 60, known: Callable[[], object] = _nothing_known
) -> None:
    """Waits for a condition, and fails, with what is known of it, when it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, known()
        time.sleep(0.02)


def runs(client: MlflowClient) -> list[Run]:
    """All runs of a store, the newest first."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, order_by=["attributes.start_time DESC"]))


def checkpoint(run: Run) -> Path:
    """A run's last checkpoint."""
    return Path(run.info.artifact_uri.removeprefix("file://")) / "checkpoints" / "last.ckpt"


def training_history(client: MlflowClient, run_id: str) -> Histories:
    """What a run measured: all metrics but the seconds, in the order of their epochs, doubles included."""
    names = [name for name in client.get_run(run_id).data.metrics if "seconds" not in name]
    return {name: [(m.step, m.value) for m in client.get_metric_history(run_id, name)] for name in sorted(names)}


def assert_equal_runs(client: MlflowClient, run_id: str, reference: str) -> None:
    """Asserts that a run ended with the weights, the last and the best, and metrics of another, bit for bit."""
    assert client.get_run(run_id).info.status == "FINISHED"
    assert training_history(client, run_id) == training_history(client, reference)
    for name in ("last.ckpt", "best.ckpt"):
        ours, theirs = (
            torch.load(checkpoint(client.get_run(each)).with_name(name), weights_only=True)["state_dict"]
            for each in (run_id, reference)
        )
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
