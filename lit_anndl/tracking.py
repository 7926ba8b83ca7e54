"""MLflow: where runs are recorded. No other file imports it."""

import getpass
import json
import logging
import os
import socket
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import url2pathname

# Before MLflow is imported, which reads them.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

from filelock import FileLock
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from lit_anndl.errors import InputError
from lit_anndl.paths import run_store
from lit_anndl.spool import Entry, Spool

log = logging.getLogger(__name__)

DELIVERY_SECONDS = 5.0
STALE_SECONDS = 120.0
"""A RUNNING run whose heartbeat (one per delivery) is older has died, wherever it ran."""
CONFIGURATION, LAST_CHECKPOINT = "config.yaml", "checkpoints/last.ckpt"
METRICS_PER_CALL, PARAMETERS_PER_CALL = 1000, 100
"""MLflow's own limits."""


class Store:
    """A tracking store: MLFLOW_TRACKING_URI, or the project's own `mlruns/mlflow.db`.

    Opening it tidies up: runs whose process has died are marked KILLED, what they left undelivered is delivered.

    Raises:
        InputError: it cannot be reached.
    """

    def __init__(self) -> None:
        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{run_store() / 'mlflow.db'}"
        self.uri = without_password(uri)
        self.database = sqlite_path(uri)
        self.delivered = 0
        try:
            self.client = open_client(uri, self.database)
            self._tidy_up()
        except (MlflowException, OSError) as error:
            reason = first_line(error).replace(uri, self.uri)[:300]
            raise InputError(f"tracking store {self.uri} cannot be used: {reason}") from error

    def experiment(self, name: str) -> str:
        """The id of the experiment of a name, made if need be; a local database has the artifacts beside it."""
        location = (self.database.parent / "artifacts").absolute().as_uri() if self.database else None
        if experiment := self.client.get_experiment_by_name(name):
            return str(experiment.experiment_id)
        try:
            return str(self.client.create_experiment(name, artifact_location=location))
        except MlflowException:  # another process was faster
            if experiment := self.client.get_experiment_by_name(name):
                return str(experiment.experiment_id)
            raise

    def run(self, run_id: str) -> Run:
        """A run.

        Raises:
            InputError: there is none of that id.
        """
        try:
            return self.client.get_run(run_id)
        except MlflowException as error:
            raise InputError(f"there is no run {run_id} in the tracking store {self.uri}") from error

    def configuration(self, run: Run) -> str:
        """The text of a run's config.yaml.

        Raises:
            InputError: it has none, so it is not a run of this project.
        """
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = self.client.download_artifacts(run.info.run_id, CONFIGURATION, folder)
            except (MlflowException, OSError) as error:
                raise InputError(f"run {run.info.run_id} holds no {CONFIGURATION} to go on from") from error
            return Path(path).read_text(encoding="utf-8")

    def last_checkpoint(self, run: Run) -> Path | None:
        """The checkpoint that a run can go on from, fetched if the store is elsewhere; None if it has none yet."""
        if folder := local_artifacts(run):
            path = folder / LAST_CHECKPOINT
            return path if path.exists() else None
        destination = self.spool(run.info.run_id).artifacts
        destination.mkdir(parents=True, exist_ok=True)
        if not self.client.list_artifacts(run.info.run_id, "checkpoints"):
            return None
        self.client.download_artifacts(run.info.run_id, "checkpoints", str(destination))
        return destination / LAST_CHECKPOINT

    def spool(self, run_id: str) -> Spool:
        """Where a run's undelivered records wait."""
        return Spool(self._spools() / run_id)

    def deliver(self, run_id: str, spool: Spool) -> None:
        """Sends parameters, artifacts and metrics that wait in a spool; raises MlflowException when the store is away.

        Artifacts stay in the spool until the run has ended, for checkpoints among them change.
        """
        if parameters := [Param(key, str(value)) for key, value in spool.facts().get("parameters", {}).items()]:
            for start in range(0, len(parameters), PARAMETERS_PER_CALL):
                self.client.log_batch(run_id, params=parameters[start : start + PARAMETERS_PER_CALL])
            self.client.log_artifact(run_id, str(spool.artifacts / CONFIGURATION))
            spool.note(parameters={})
        while entries := spool.pending()[:METRICS_PER_CALL]:
            metrics = [Metric(entry.name, entry.value, entry.milliseconds, entry.epoch) for entry in entries]
            self.client.log_batch(run_id, metrics=metrics)
            spool.drop(len(entries))

    def finish(self, run_id: str, spool: Spool) -> None:
        """Delivers metrics, artifacts, tags and the final status of a run that has ended."""
        self.deliver(run_id, spool)
        if spool.artifacts.is_dir():
            self.client.log_artifacts(run_id, str(spool.artifacts))
        facts = spool.facts()
        self.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in facts["tags"].items()])
        self.client.set_terminated(run_id, facts["status"])
        spool.remove()

    def ending(self) -> FileLock:
        """Held by whoever ends a run: what its own process is just ending is no leftover to another one."""
        self._spools().mkdir(parents=True, exist_ok=True)
        return FileLock(self._spools() / ".lock")

    def recorded(self, run: Run) -> dict[str, list[tuple[int, float]]]:
        """The (epoch, value) pairs that the store has of each of a run's metrics."""
        histories = {name: self.client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
        return {name: [(metric.step, metric.value) for metric in history] for name, history in histories.items()}

    def _tidy_up(self) -> None:
        with self.ending():
            experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
            for run in self.client.search_runs(experiments, "attributes.status = 'RUNNING'"):
                spool = self.spool(run.info.run_id)
                if has_died(run.data.tags) and "status" not in spool.facts():
                    spool.note(status="KILLED", tags={"error": "the process died"})
            for path in self._spools().glob("*/facts.json"):
                self.delivered += self._finish_leftover(path.parent.name)

    def _finish_leftover(self, run_id: str) -> bool:
        """Delivers the spool of a run of this store that has ended, without what arrived before its process died."""
        spool = self.spool(run_id)
        facts = spool.facts()
        if facts.get("store", self.uri) != self.uri or ("status" not in facts and not has_died(facts)):
            return False
        run = self.run(run_id)
        if "status" not in facts:  # its process died, and another machine has seen that first
            spool.note(status=run.info.status, tags={})
        spool.load()
        known = {(name, epoch) for name, pairs in self.recorded(run).items() for epoch, _ in pairs}
        spool.keep(lambda entry: (entry.name, entry.epoch) not in known)
        self.finish(run_id, spool)
        return True

    def _spools(self) -> Path:
        return (self.database.parent if self.database else run_store()) / "spool"


class Tracker(Logger):
    """A run in the store. Metrics stand against the epoch; they are sent every few seconds by a thread.

    While the store is away, training goes on: what it would have got waits in the spool.

    Args:
        exercise: the exercise's name, and the experiment's unless MLFLOW_EXPERIMENT_NAME gives another.
        store: where to record.
    """

    def __init__(self, exercise: str, store: Store) -> None:
        super().__init__()
        self.exercise = exercise
        self.store = store
        self.history: dict[str, list[tuple[int, float]]] = {}
        self._known: set[tuple[str, int]] = set()
        self._run: Run | None = None
        self._away = False
        self._ended = threading.Event()
        self._delivery = threading.Lock()

    @property
    def name(self) -> str:
        """The experiment's name."""
        return os.environ.get("MLFLOW_EXPERIMENT_NAME") or self.exercise

    @property
    def version(self) -> str | None:
        """The run id, once the run has started."""
        return self._run.info.run_id if self._run else None

    @property
    def run_id(self) -> str:
        """The run id of a started run."""
        assert self.version is not None, "the run has not started"
        return self.version

    def start(self, run_name: str, configuration: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Creates the run, RUNNING, with its configuration (YAML, and flat) and tags."""
        client = self.store.client
        tags = {**tags, **process_tags(), "mlflow.user": getpass.getuser(), "mlflow.source.type": "LOCAL"}
        self._run = client.create_run(self.store.experiment(self.name), run_name=run_name, tags=tags)
        self._begin_delivery(configuration, dict(parameters))

    def resume(self, run: Run, configuration: str, tags: Mapping[str, str]) -> None:
        """Goes on with a run, RUNNING again; epochs that it has recorded are not recorded twice."""
        self._run = run
        self.history = self.store.recorded(run)
        self._known = {(name, epoch) for name, pairs in self.history.items() for epoch, _ in pairs}
        entries = [RunTag(key, value) for key, value in {**tags, **process_tags(), "error": ""}.items()]
        self.store.client.log_batch(self.run_id, tags=entries)
        self.store.client.update_run(self.run_id, status="RUNNING")
        self._begin_delivery(configuration, {})

    def checkpoint_directory(self) -> Path:
        """Where this run's checkpoints are written: among its artifacts if those are local, else in the spool."""
        assert self._run is not None
        return (local_artifacts(self._run) or self._spool.artifacts) / "checkpoints"

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Notes metrics against `metrics["epoch"]`; they are sent with those of the next seconds."""
        epoch = int(metrics.get("epoch", step or 0))
        milliseconds = int(time.time() * 1000)
        fresh = [name for name in metrics if name != "epoch" and (name, epoch) not in self._known]
        for name in fresh:
            self.history.setdefault(name, []).append((epoch, metrics[name]))
        self._spool.append([Entry(name, metrics[name], milliseconds, epoch) for name in fresh])

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing: `start` records the whole configuration."""

    def log_figure(self, name: str, figure: Figure) -> None:
        """Stores a figure as figures/NAME.png."""
        figure.savefig(self._artifact(f"figures/{name}.png"), dpi=120)

    def log_table(self, name: str, table: dict[str, list[Any]]) -> None:
        """Stores a table, columns by heading, as tables/NAME.json in the form that MLflow's own tables have."""
        rows = [list(row) for row in zip(*table.values(), strict=True)]
        self._artifact(f"tables/{name}.json").write_text(json.dumps({"columns": list(table), "data": rows}))

    @rank_zero_only
    def save(self) -> None:
        """Puts what is logged on the disk."""
        self._spool.write()

    def deliver(self) -> None:
        """Sends what is logged now; when the store is away, warns once."""
        with self._delivery:
            try:
                self.store.client.set_tag(self.run_id, "heartbeat", str(time.time()))
                self.store.deliver(self.run_id, self._spool)
            except (MlflowException, OSError) as error:
                self._spool.write()
                self._warn(error)

    def close(self, status: str, tags: Mapping[str, str] | None = None) -> None:
        """Ends the run with its true status: FINISHED, FAILED or KILLED."""
        self._ended.set()
        self._spool.write()
        with self._delivery, self.store.ending():
            self._spool.note(status=status, tags=dict(tags or {}))
            try:
                self.store.finish(self.run_id, self._spool)
            except (MlflowException, OSError) as error:
                self._warn(error)

    def _begin_delivery(self, configuration: str, parameters: dict[str, Any]) -> None:
        self._spool = self.store.spool(self.run_id)
        self._spool.note(store=self.store.uri, parameters=parameters, **process_tags())
        self._artifact(CONFIGURATION).write_text(configuration, encoding="utf-8")
        self.deliver()
        threading.Thread(target=self._deliver_regularly, name="tracking", daemon=True).start()

    def _deliver_regularly(self) -> None:
        while not self._ended.wait(DELIVERY_SECONDS):
            self.deliver()

    def _artifact(self, name: str) -> Path:
        path = self._spool.artifacts / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _warn(self, error: Exception) -> None:
        if not self._away:
            log.warning(
                "tracking store %s does not answer (%s); the run goes on, and what it logs waits in %s. "
                "It is delivered when the store is back, by the next command or by: python -m lit_anndl.deliver",
                self.store.uri,
                first_line(error)[:200],
                self._spool.folder,
            )
        self._away = True


def open_client(uri: str, database: Path | None) -> MlflowClient:
    """A client that has reached its store; first starts on an empty database race in MLflow, so they queue here."""
    if database is None:
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
        return client
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock"):
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    return client


def process_tags() -> dict[str, str]:
    """Tags by which a dead process is told from a living one."""
    return {"host": socket.gethostname(), "process": process(os.getpid()), "heartbeat": str(time.time())}


def has_died(tags: Mapping[str, str]) -> bool:
    """Whether the process that tagged a run is gone; what is not tagged by this project is left alone."""
    if not {"host", "process", "heartbeat"} <= tags.keys():
        return False
    if tags["host"] == socket.gethostname():
        return tags["process"] != process(int(tags["process"].partition("@")[0]))
    return time.time() - float(tags["heartbeat"]) > STALE_SECONDS


def process(pid: int) -> str:
    """A process of this machine as PID@START, where the system tells when it started; empty if there is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    status = Path(f"/proc/{pid}/stat")
    started = status.read_text().rpartition(")")[2].split()[19] if status.exists() else ""
    return f"{pid}@{started}"


def local_artifacts(run: Run) -> Path | None:
    """The folder of a run's artifacts, None if they are not on this machine's disks."""
    parts = urlsplit(run.info.artifact_uri)
    return Path(url2pathname(parts.path)) if parts.scheme in ("", "file") else None


def sqlite_path(uri: str) -> Path | None:
    """The file of an SQLite address, None for other addresses."""
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix)) if uri.startswith(prefix) else None


def without_password(uri: str) -> str:
    """An address as it may be shown."""
    parts = urlsplit(uri)
    if parts.password is None:
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return (str(error) or type(error).__name__).strip().splitlines()[0]
