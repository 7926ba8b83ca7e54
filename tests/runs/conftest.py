"""A store that several modules watch, a run in it that nobody interrupted, and a callback that sees all ranks."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.support.interrupted import LONG, run_id_in
from tests.support.processes import finish
from tests.support.ranks import WITNESS


@pytest.fixture(scope="session")
def store(tmp_path_factory, make_store) -> str:
    return make_store(tmp_path_factory.mktemp("survival"))


@pytest.fixture(scope="session")
def observer(store) -> MlflowClient:
    return MlflowClient(store)


@pytest.fixture(scope="session")
def uninterrupted(store) -> str:
    code, out, err = finish(*LONG, store=store)
    assert code == 0, err
    return run_id_in(out)


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    """A folder for what a callback of the command sees, and the callback."""
    (tmp_path / "witness.py").write_text(WITNESS)
    (tmp_path / "witness.yaml").write_text("trainer: {callbacks: [{class_path: witness.Witness}]}")
    return tmp_path
