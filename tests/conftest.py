"""What many tests need: a store of their own, tiny digits, and the command as a user types it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: two workers share two cores

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from lit_anndl import fit
from lit_anndl.data.digits import idx, idx_format
from tests.support.refusals import assert_refused


@pytest.fixture(scope="session")
def make_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """Makes SQLite stores in folders, as copies of one: MLflow takes seconds to create one."""
    empty = tmp_path_factory.mktemp("empty") / "mlflow.db"
    MlflowClient(f"sqlite:///{empty}").search_experiments()

    def make(folder: Path) -> str:
        folder.mkdir(exist_ok=True)
        return f"sqlite:///{shutil.copy(empty, folder)}"

    return make


@pytest.fixture(scope="session")
def store_uri(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> str:
    """The store of most tests."""
    return make_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(autouse=True)
def client(store_uri: str, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A client of the store that every test's commands write to."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_uri)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return MlflowClient(store_uri)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of IDX files: 400 training and 100 test images, a bright row and column per class, noise elsewhere."""
    folder = tmp_path_factory.mktemp("digits")
    generator = np.random.default_rng(0)
    for images, labels, size in (
        (idx.TRAIN_IMAGES, idx.TRAIN_LABELS, 400),
        (idx.TEST_IMAGES, idx.TEST_LABELS, 100),
    ):
        classes = (np.arange(size) % 10).astype(np.uint8)
        pixels = generator.integers(0, 60, (size, 28, 28), dtype=np.uint8)
        pixels[np.arange(size), 2 * classes + 4] = 250
        pixels[np.arange(size), :, 2 * classes + 4] = 250
        (folder / images).write_bytes(idx_format.encode(pixels))
        (folder / labels).write_bytes(idx_format.encode(classes))
    return folder


class Command:
    """`python -m lit_anndl.fit` within this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], client: MlflowClient) -> None:
        self.capsys = capsys
        self.client = client

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self.capsys.readouterr()
        try:
            code = fit.main(words)
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *self.capsys.readouterr()

    def run(self, *words: str) -> Run:
        """The recorded run of a command that succeeds."""
        code, out, err = self(*words)
        assert code == 0, err
        (line,) = [line for line in out.splitlines() if line.startswith("run ")]
        return self.client.get_run(line.split()[1])

    def refuses(self, *words: str, says: str) -> None:
        """Asserts that the words are wrong: exit code 2, one line that says something, and no run left behind."""
        before = len(self.runs())
        assert_refused(self(*words), says)
        assert len(self.runs()) == before

    def runs(self) -> list[Run]:
        """All runs in the store."""
        experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
        return list(self.client.search_runs(experiments))


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], client: MlflowClient) -> Command:
    """The command."""
    return Command(capsys, client)
