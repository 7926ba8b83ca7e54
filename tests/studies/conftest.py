"""What tests of studies need: study files, the command as a process, and what the two stores say of its trials."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from mlflow import MlflowClient
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from lit_anndl import sweep
from lit_anndl.studies.database import StudyDatabase
from lit_anndl.studies.standing import current
from tests.support.forked import ForkedCommand
from tests.support.processes import start_module, wait_until

SMALL: dict[str, Any] = {
    "exercise": "surface",
    "overrides": {"trainer.max_epochs": 3, "data.grid_size": 10, "data.validation_size": 20},
    "metric": "val/mse",
    "trials": 4,
    "sampler": "random",
    "space": {"model.optimizer.lr": {"float": [1e-4, 1e-1], "log": True}, "model.hidden": [3, 5]},
}
"""A study of a second or two."""

StudyFile = Callable[..., Path]
LoadStudy = Callable[[str, str], optuna.Study]


@pytest.fixture
def study_file(tmp_path: Path) -> StudyFile:
    """Writes a study file: the small one, with other entries."""

    def write(name: str = "small", **entries: Any) -> Path:
        content = {key: value for key, value in {**SMALL, **entries}.items() if value is not None}
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return write


@pytest.fixture(autouse=True)
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An SQLite file of the test's own."""
    address = f"sqlite:///{tmp_path / 'optuna.db'}"
    monkeypatch.setenv("LIT_ANNDL_STORAGE", address)
    return address


@pytest.fixture
def own_store(tmp_path: Path, make_store: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A tracking store that nothing else writes to."""
    address = make_store(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    return MlflowClient(address)


class Sweep:
    """`python -m lit_anndl.sweep` within this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *words: str | Path) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self.capsys.readouterr()
        code = sweep.main(list(map(str, words)))
        return code, *self.capsys.readouterr()


@pytest.fixture
def run_sweep(capsys: pytest.CaptureFixture[str]) -> Sweep:
    """The command."""
    return Sweep(capsys)


def start_sweep(*words: str | Path, **environment: str) -> ForkedCommand:
    """The command as a process."""
    return start_module("lit_anndl.sweep", *words, **environment)


@pytest.fixture
def load_study() -> Iterator[LoadStudy]:
    """Loads a study by name and address, as Optuna has it, once it has been begun."""
    connections: list[RDBStorage] = []

    def load(name: str, address: str) -> optuna.Study:
        connection = StudyDatabase(address).connect()
        connections.append(connection)
        wait_until(lambda: name in optuna.get_all_study_names(connection), 120)
        study = optuna.load_study(study_name=name, storage=connection)
        wait_until(lambda: "definition" in study.user_attrs)
        return study

    yield load
    for connection in connections:
        connection.engine.dispose()


def in_state(study: optuna.Study, state: TrialState) -> list[FrozenTrial]:
    """The trials that are in a state, but for those that a copy stands for."""
    return [trial for trial in current(study) if trial.state is state]


def assert_complete(study: optuna.Study, client: MlflowClient, trials: int, seeds: int = 1) -> None:
    """Asserts that so many trials are complete, none runs, waits or is doubled, and MLflow agrees on each."""
    assert len(in_state(study, TrialState.COMPLETE)) == len(current(study)) == trials
    assert not [t for t in study.get_trials() if t.state in (TrialState.RUNNING, TrialState.WAITING)]
    experiment = client.get_experiment_by_name("surface")
    children = client.search_runs([experiment.experiment_id], f"tags.study = '{study.study_name}' and tags.trial != ''")
    parent = client.get_run(study.user_attrs["mlflow_run"])
    assert parent.info.status == "FINISHED"
    finished = [run for run in children if run.info.status == "FINISHED"]
    assert {run.info.status for run in children} <= {"FINISHED", "KILLED"}
    assert len(finished) == trials * seeds
    for trial in in_state(study, TrialState.COMPLETE):
        own = [run for run in finished if run.data.tags["trial"] == str(trial.number)]
        assert {run.info.run_id for run in own} == set(trial.user_attrs["runs"].values())
        assert len(own) == seeds
        assert {run.data.tags["trial_state"] for run in own} == {"COMPLETE"}
        assert {run.data.tags["mlflow.parentRunId"] for run in own} == {parent.info.run_id}
        assert all(run.data.tags["settings"] for run in own)  # of those that were gone on with, too
        if seeds == 1:
            assert own[0].data.metrics["val/mse"] == pytest.approx(trial.value)
            assert {key: own[0].data.params[key] for key in trial.params} == {
                k: str(v) for k, v in trial.params.items()
            }
