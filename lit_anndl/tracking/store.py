"""The tracking store: what has been recorded."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from sqlalchemy import URL, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from lit_anndl.runtime.addresses import read_address, shown, sqlite_address, without_passwords
from lit_anndl.runtime.errors import InputError, Unreachable
from lit_anndl.runtime.liveness import host, process_tags
from lit_anndl.runtime.paths import run_store
from lit_anndl.tracking.outbox import Outbox

ARTIFACTS, CONFIGURATION, LAST_CHECKPOINT = "artifacts", "config.yaml", "checkpoints/last.ckpt"
METRICS_PER_CALL, PARAMETERS_PER_CALL = 1000, 100
"""MLflow's own limits."""
KINDS = "sqlite:///FILE, http://HOST or postgresql://USER@HOST/DATABASE"
_CONNECT_SECONDS = 5
"""How long a database server may take to answer, at each of its addresses."""


class TrackingStore:
    """A tracking store: MLFLOW_TRACKING_URI, or the project's own `mlruns/mlflow.db`.

    Raises:
        InputError: it cannot be reached.
    """

    def __init__(self) -> None:
        self.address = os.environ.get("MLFLOW_TRACKING_URI") or sqlite_address(run_store() / "mlflow.db")
        self._url = read(self.address)
        self.uri = shown(self._url)
        self.database = Path(self._url.database or "") if self._url.drivername == "sqlite" else None
        try:
            self.client = _open_client(self.address, self.database)
        except (MlflowException, OSError, SQLAlchemyError, ImportError, ValueError) as error:
            raise Unreachable(f"tracking store {self.uri} cannot be used: {self.redact(error)}") from error

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Within it, a store that is away is the user's to mend: raises Unreachable."""
        try:
            yield
        except (MlflowException, OSError, SQLAlchemyError) as error:
            raise Unreachable(f"tracking store {self.uri} cannot be used: {self.redact(error)}") from error

    def redact(self, error: BaseException) -> str:
        """What an error says, in one line and without the password, which MLflow repeats."""
        return without_passwords(first_line(error), self._url)[:300]

    def experiment(self, name: str) -> str:
        """The id of the experiment of a name, made if need be; a local database has the artifacts beside it."""
        location = artifacts_beside(self.database).as_uri() if self.database else None
        if experiment := self.client.get_experiment_by_name(name):
            return str(experiment.experiment_id)
        try:
            return str(self.client.create_experiment(name, artifact_location=location))
        except MlflowException:  # another process was faster
            if experiment := self.client.get_experiment_by_name(name):
                return str(experiment.experiment_id)
            raise

    def create_run(self, experiment: str, name: str, tags: Mapping[str, str]) -> Run:
        """A new run of this process in an experiment, RUNNING.

        A server whose answer got lost is asked again, and may have made two: the other one is deleted.
        """
        own = process_tags()
        experiment_id = self.experiment(experiment)
        run = self.client.create_run(experiment_id, run_name=name, tags={**tags, **own})
        if self.database is None:
            with suppress(MlflowException):  # it has gone away since
                self._delete_doubles(run, own)
        return run

    def latest_experiment(self) -> str:
        """The id of the experiment with the latest run.

        Raises:
            InputError: there are no runs.
        """
        experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
        runs = self.client.search_runs(experiments, max_results=1, order_by=["attributes.start_time DESC"])
        if not runs:
            raise InputError(f"there are no runs in {self.uri}")
        return str(runs[0].info.experiment_id)

    def experiment_of_study(self, study: str) -> str:
        """The id of the experiment that holds a study's runs.

        Raises:
            InputError: there is no such study.
        """
        experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
        quoted = study.replace("'", "")  # no name has any
        runs = self.client.search_runs(experiments, f"tags.study = '{quoted}'", max_results=1)
        if not runs:
            raise InputError(f"there are no runs of a study {study} in {self.uri}")
        return str(runs[0].info.experiment_id)

    def run(self, run_id: str) -> Run:
        """A run.

        Raises:
            InputError: there is none of that id.
        """
        with self.translate_errors():
            run = self.find(run_id)
        if run is None:
            raise InputError(f"there is no run {run_id} in the tracking store {self.uri}")
        return run

    def run_of(self, process: str) -> str | None:
        """The id of the run that a process of this machine (as `liveness.process` tells it) has tracked, if any."""
        with self.translate_errors():
            experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
            runs = self.client.search_runs(experiments, f"tags.process = '{process}'")
        return next((str(run.info.run_id) for run in runs if run.data.tags["host"] == host()), None)

    def artifacts(self, run: Run) -> Path:
        """The folder that a run's artifacts are written to: their own, or where they wait for a store elsewhere."""
        return _local_artifacts(run) or self.spool(run.info.run_id).artifacts

    def fetch(self, run: Run, name: str, folder: str) -> Path | None:
        """A run's artifact as a file, in a folder if it has to be fetched; None if the run has no such one.

        Raises:
            Unreachable: the store is away.
        """
        if (path := self.artifacts(run) / name).exists():
            return path
        with self.translate_errors():
            if all(item.path != name for item in self.client.list_artifacts(run.info.run_id, name.rpartition("/")[0])):
                return None
            return Path(self.client.download_artifacts(run.info.run_id, name, folder))

    def last_checkpoint(self, run: Run) -> Path | None:
        """The checkpoint that a run can go on from, fetched if the store is elsewhere; None if it has none yet.

        Raises:
            InputError: the run has trained, but its checkpoint is gone, or is on another machine still.
        """
        path = self.artifacts(run) / LAST_CHECKPOINT
        if not path.exists() and not _local_artifacts(run):
            with self.translate_errors():
                self._fetch_checkpoints(run)
        if path.exists():
            return path
        if run.data.metrics:
            left = f" (the run was last on {run.data.tags['host']})" if "host" in run.data.tags else ""
            raise InputError(f"{path}: the checkpoint to go on from is not there{left}")
        return None

    def is_taken_over(self, run_id: str) -> bool:
        """Whether another process has gone on with a run of this process, believing it dead."""
        return taken_over(self.client.get_run(run_id).data.tags, process_tags())

    def spool(self, run_id: str) -> Outbox:
        """Where a run's undelivered records wait."""
        return Outbox(self.spools() / run_id)

    def deliver(self, run_id: str, spool: Outbox) -> None:
        """Sends parameters, artifacts and metrics that wait in a spool; raises MlflowException when the store is away.

        Artifacts stay in the spool until the run has ended, for checkpoints among them change.
        """
        if parameters := [Param(key, str(value)) for key, value in spool.metadata().get("parameters", {}).items()]:
            for start in range(0, len(parameters), PARAMETERS_PER_CALL):
                self.client.log_batch(run_id, params=parameters[start : start + PARAMETERS_PER_CALL])
            if (configuration := spool.artifacts / CONFIGURATION).exists():
                self.client.log_artifact(run_id, str(configuration))
            spool.note(parameters={})
        while entries := spool.pending()[:METRICS_PER_CALL]:
            metrics = [Metric(entry.name, entry.value, entry.milliseconds, entry.epoch) for entry in entries]
            self.client.log_batch(run_id, metrics=metrics)
            spool.drop(len(entries))

    def finish(self, run_id: str, spool: Outbox, status: str, tags: Mapping[str, str]) -> None:
        """Delivers metrics, artifacts, tags and the final status of a run that has ended."""
        self.deliver(run_id, spool)
        if spool.artifacts.is_dir():
            self.client.log_artifacts(run_id, str(spool.artifacts))
        self.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
        self.client.set_terminated(run_id, status)
        spool.remove()

    def changing(self) -> FileLock:
        """Held by whoever takes a run over that another process has left."""
        self.spools().mkdir(parents=True, exist_ok=True)
        return FileLock(self.spools() / ".lock")

    def recorded(self, run: Run) -> dict[str, list[tuple[int, float]]]:
        """The (epoch, value) pairs that the store has of each of a run's metrics."""
        histories = {name: self.client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
        return {name: [(metric.step, metric.value) for metric in history] for name, history in histories.items()}

    def spools(self) -> Path:
        """The folder of everything that waits."""
        return (self.database.parent if self.database else run_store()) / "spool"

    def find(self, run_id: str) -> Run | None:
        """A run, None where the user has deleted it."""
        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return run if run.info.lifecycle_stage == "active" else None

    def _delete_doubles(self, run: Run, tags: Mapping[str, str]) -> None:
        """Deletes the other runs with the tags of one that has just been created."""
        same = " and ".join(f"tags.{key} = '{value}'" for key, value in tags.items())
        for other in self.client.search_runs([run.info.experiment_id], same):
            if other.info.run_id != run.info.run_id:
                self.client.delete_run(other.info.run_id)

    def _fetch_checkpoints(self, run: Run) -> None:
        """Fetches the checkpoints of a run into its spool, which is this process' own then."""
        spool = self.spool(run.info.run_id)
        with self.changing():
            if (spool.artifacts / LAST_CHECKPOINT).exists():  # another rank was faster
                return
            if not self.client.list_artifacts(run.info.run_id, "checkpoints"):
                return
            if not spool.metadata():
                spool.note(store=self.uri, **process_tags())
            with tempfile.TemporaryDirectory(dir=spool.folder) as folder:
                fetched = Path(self.client.download_artifacts(run.info.run_id, "checkpoints", folder))
                spool.artifacts.mkdir(exist_ok=True)
                fetched.rename(spool.artifacts / "checkpoints")


def read(address: str) -> URL:
    """The parts of a tracking store's address.

    Raises:
        InputError: it is none, or that of an SQLite database without a file.
    """
    try:
        url = read_address(address)
    except ValueError as error:  # a password may be in what was given
        raise InputError(f"MLFLOW_TRACKING_URI: {error}; expected {KINDS}") from error
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise InputError(f"MLFLOW_TRACKING_URI: {shown(url)} was given, expected {KINDS}")
    return url


def _open_client(uri: str, database: Path | None) -> MlflowClient:
    """A client that has reached its store; first starts on an empty database race in MLflow, so they queue here."""
    if database is None:
        reach(uri)
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
        return client
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock"):
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    return client


def reach(uri: str) -> None:
    """Connects to a database server once: MLflow itself would try for a minute and a half."""
    if uri.startswith(("postgresql", "mysql")):
        engine = create_engine(uri, poolclass=NullPool, connect_args={"connect_timeout": _CONNECT_SECONDS})
        with engine.connect():
            pass


def artifacts_beside(database: Path) -> Path:
    """Where the artifacts of a local database are."""
    return (database.parent / ARTIFACTS).absolute()


def _local_artifacts(run: Run) -> Path | None:
    """The folder of a run's artifacts, None if they are not on this machine's disks."""
    parts = urlsplit(run.info.artifact_uri)
    return Path(url2pathname(parts.path)) if parts.scheme in ("", "file") else None


def taken_over(tags: Mapping[str, str], facts: Mapping[str, Any]) -> bool:
    """Whether another process has gone on with a run since one noted its facts."""
    return "process" in facts and any(tags.get(key) != facts[key] for key in ("host", "process"))


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
