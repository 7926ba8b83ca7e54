"""MLflow: where runs are recorded. No other file imports it."""

import getpass
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

from filelock import FileLock
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from lit_anndl.errors import InputError
from lit_anndl.paths import run_store

log = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
METRICS_PER_CALL = 1000
PARAMETERS_PER_CALL = 100
"""MLflow's own limits."""


class Tracker(Logger):
    """A run in MLflow: buffers metrics and sends them by time, in few calls.

    The store is MLFLOW_TRACKING_URI or the project's `mlruns/mlflow.db`; the experiment is MLFLOW_EXPERIMENT_NAME
    or has the exercise's name. Metrics stand against the epoch.

    Args:
        exercise: the exercise's name.

    Raises:
        InputError: the store cannot be reached.
    """

    def __init__(self, exercise: str) -> None:
        super().__init__()
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or default_uri()
        self.exercise = exercise
        self.history: dict[str, list[tuple[int, float]]] = {}
        self._buffer: list[Metric] = []
        self._flushed = time.monotonic()
        self._warned = False
        self._run_id: str | None = None
        try:
            self._client = open_store(self.uri)
            self._experiment_id = find_experiment(self._client, self.uri, self.name)
        except (MlflowException, OSError) as error:
            raise InputError(f"tracking store {self.uri}: {first_line(error)}") from error

    @property
    def name(self) -> str:
        """The experiment's name."""
        return os.environ.get("MLFLOW_EXPERIMENT_NAME") or self.exercise

    @property
    def version(self) -> str | None:
        """The run id, once the run has started."""
        return self._run_id

    @property
    def run_id(self) -> str:
        """The run id of a started run."""
        assert self._run_id is not None, "the run has not started"
        return self._run_id

    def start(self, run_name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Creates the run, RUNNING, with its parameters and tags."""
        tags = {**tags, "mlflow.user": getpass.getuser(), "mlflow.source.type": "LOCAL"}
        run = self._client.create_run(self._experiment_id, run_name=run_name, tags=tags)
        self._run_id = run.info.run_id
        self._artifacts = run.info.artifact_uri
        entries = [Param(key, str(value)) for key, value in parameters.items()]
        for start in range(0, len(entries), PARAMETERS_PER_CALL):
            self._client.log_batch(self.run_id, params=entries[start : start + PARAMETERS_PER_CALL])

    def checkpoint_directory(self) -> Path:
        """Where this run's checkpoints are written: among its artifacts if those are local, else beside the store."""
        parts = urlsplit(self._artifacts)
        if parts.scheme in ("", "file"):
            return Path(url2pathname(parts.path)) / "checkpoints"
        return run_store() / "checkpoints" / self.run_id

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Notes metrics against `metrics["epoch"]`; they are sent with those of the next seconds."""
        now = time.time()
        epoch = int(metrics.get("epoch", step or 0))
        for name, value in metrics.items():
            if name != "epoch":
                self.history.setdefault(name, []).append((epoch, value))
                self._buffer.append(Metric(name, value, int(now * 1000), epoch))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.save()

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing: `start` records the whole configuration."""

    def log_text(self, name: str, text: str) -> None:
        """Stores a text file."""
        self._client.log_text(self.run_id, text, name)

    def log_figure(self, name: str, figure: Figure) -> None:
        """Stores a figure as figures/NAME.png."""
        self._client.log_figure(self.run_id, figure, f"figures/{name}.png")

    def log_table(self, name: str, table: dict[str, list[Any]]) -> None:
        """Stores a table, columns by heading, as tables/NAME.json, which the UI can show."""
        self._client.log_table(self.run_id, table, f"tables/{name}.json")

    @rank_zero_only
    def save(self) -> None:
        """Sends the buffered metrics; on failure they stay for the next time, and training goes on."""
        self._flushed = time.monotonic()
        try:
            while self._buffer:
                self._client.log_batch(self.run_id, metrics=self._buffer[:METRICS_PER_CALL])
                del self._buffer[:METRICS_PER_CALL]
        except MlflowException as error:
            if not self._warned:
                log.warning("tracking store %s does not answer (%s); metrics wait here", self.uri, first_line(error))
            self._warned = True

    def close(self, status: str, tags: Mapping[str, str] | None = None) -> None:
        """Ends the run with its true status: FINISHED, FAILED or KILLED."""
        if self._run_id is None:
            return
        self.save()
        entries = [RunTag(key, value) for key, value in (tags or {}).items()]
        self._client.log_batch(self.run_id, tags=entries)
        directory = self.checkpoint_directory()
        if urlsplit(self._artifacts).scheme not in ("", "file") and directory.is_dir():
            self._client.log_artifacts(self.run_id, str(directory), "checkpoints")
        self._client.set_terminated(self.run_id, status)


def default_uri() -> str:
    """The project's own store."""
    return f"sqlite:///{run_store() / 'mlflow.db'}"


def open_store(uri: str) -> MlflowClient:
    """A client of the store; one process at a time, for MLflow's first start on an empty database is a race."""
    path = sqlite_path(uri)
    if path is None:
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
        return client
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    return client


def find_experiment(client: MlflowClient, uri: str, name: str) -> str:
    """The id of the experiment of a name, made if need be with its artifacts beside a local database."""
    path = sqlite_path(uri)
    location = (path.parent / "artifacts").absolute().as_uri() if path else None
    if experiment := client.get_experiment_by_name(name):
        return str(experiment.experiment_id)
    try:
        return str(client.create_experiment(name, artifact_location=location))
    except MlflowException:  # another process was faster
        if experiment := client.get_experiment_by_name(name):
            return str(experiment.experiment_id)
        raise


def sqlite_path(uri: str) -> Path | None:
    """The file of an SQLite address, None for other addresses."""
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix)) if uri.startswith(prefix) else None


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return (str(error) or type(error).__name__).strip().splitlines()[0]
