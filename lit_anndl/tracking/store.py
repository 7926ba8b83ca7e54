"""The tracking store: what has been recorded, and runs whose process left them."""

import logging
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from lit_anndl.errors import InputError, Unreachable
from lit_anndl.liveness import has_died, process_tags
from lit_anndl.paths import run_store
from lit_anndl.tracking.spool import Spool

log = logging.getLogger(__name__)

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
        self.address = uri
        self.uri, self._password = without_password(uri)
        self.database = sqlite_path(uri)
        self.delivered = 0
        with self.reaching():
            self.client = open_client(uri, self.database)
            self._tidy_up()

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Within it, a store that is away is the user's to mend: raises Unreachable."""
        try:
            yield
        except (MlflowException, OSError) as error:
            raise Unreachable(f"tracking store {self.uri} cannot be used: {self.told(error)}") from error

    def told(self, error: BaseException) -> str:
        """What an error says, in one line and without the password, which MLflow repeats."""
        text = first_line(error)
        return (text.replace(self._password, "***") if self._password else text)[:300]

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
        with self.reaching():
            run = self._find(run_id)
        if run is None:
            raise InputError(f"there is no run {run_id} in the tracking store {self.uri}")
        return run

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
        """The checkpoint that a run can go on from, fetched if the store is elsewhere; None if it has none yet.

        Raises:
            InputError: the run has trained, but its checkpoint is gone, or is on another machine still.
        """
        folder = local_artifacts(run) or self.spool(run.info.run_id).artifacts
        path = folder / LAST_CHECKPOINT
        if (
            not path.exists()
            and not local_artifacts(run)
            and self.client.list_artifacts(run.info.run_id, "checkpoints")
        ):
            folder.mkdir(parents=True, exist_ok=True)
            self.client.download_artifacts(run.info.run_id, "checkpoints", str(folder))
        if path.exists():
            return path
        if run.data.metrics:
            left = f" (the run was last on {run.data.tags['host']})" if "host" in run.data.tags else ""
            raise InputError(f"{path}: the checkpoint to go on from is not there{left}")
        return None

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
            if (configuration := spool.artifacts / CONFIGURATION).exists():
                self.client.log_artifact(run_id, str(configuration))
            spool.note(parameters={})
        while entries := spool.pending()[:METRICS_PER_CALL]:
            metrics = [Metric(entry.name, entry.value, entry.milliseconds, entry.epoch) for entry in entries]
            self.client.log_batch(run_id, metrics=metrics)
            spool.drop(len(entries))

    def finish(self, run_id: str, spool: Spool, status: str, tags: Mapping[str, str]) -> None:
        """Delivers metrics, artifacts, tags and the final status of a run that has ended."""
        self.deliver(run_id, spool)
        if spool.artifacts.is_dir():
            self.client.log_artifacts(run_id, str(spool.artifacts))
        self.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
        self.client.set_terminated(run_id, status)
        spool.remove()

    def changing(self) -> FileLock:
        """Held by whoever takes a run over that another process has left."""
        self._spools().mkdir(parents=True, exist_ok=True)
        return FileLock(self._spools() / ".lock")

    def recorded(self, run: Run) -> dict[str, list[tuple[int, float]]]:
        """The (epoch, value) pairs that the store has of each of a run's metrics."""
        histories = {name: self.client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
        return {name: [(metric.step, metric.value) for metric in history] for name, history in histories.items()}

    def _tidy_up(self) -> None:
        with self.changing():
            experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
            for run in self.client.search_runs(experiments, "attributes.status = 'RUNNING'"):
                spool = self.spool(run.info.run_id)
                if has_died(run.data.tags) and "status" not in spool.facts():
                    spool.note(status="KILLED", tags={"error": "the process died"})
            for path in self._spools().glob("*/facts.json"):
                try:
                    self.delivered += self._finish_leftover(path.parent.name)
                except (MlflowException, OSError, ValueError, KeyError) as error:  # it alone waits on
                    log.warning("what run %s left in %s waits on: %s", path.parent.name, path.parent, self.told(error))

    def _finish_leftover(self, run_id: str) -> bool:
        """Delivers the spool of a run of this store that has ended, without what arrived before its process died."""
        spool = self.spool(run_id)
        facts = spool.facts()
        if facts.get("store", self.uri) != self.uri:
            return False
        run = self._find(run_id)
        if run is None or taken_over(run.data.tags, facts):
            if "store" in facts:
                spool.remove()
            return False
        alive = "process" in facts and not has_died({**facts, **run.data.tags})
        if alive and not is_this_process(facts):  # it is just ending the run, or tries again later
            return False
        status = facts.get("status", run.info.status)
        if status == "RUNNING":
            return False
        spool.load()
        known = {(name, epoch) for name, pairs in self.recorded(run).items() for epoch, _ in pairs}
        spool.keep(lambda entry: (entry.name, entry.epoch) not in known)
        self.finish(run_id, spool, status, facts.get("tags", {}))
        return True

    def _find(self, run_id: str) -> Run | None:
        """A run, None where the user has deleted it."""
        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return run if run.info.lifecycle_stage == "active" else None

    def _spools(self) -> Path:
        return (self.database.parent if self.database else run_store()) / "spool"


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


def local_artifacts(run: Run) -> Path | None:
    """The folder of a run's artifacts, None if they are not on this machine's disks."""
    parts = urlsplit(run.info.artifact_uri)
    return Path(url2pathname(parts.path)) if parts.scheme in ("", "file") else None


def sqlite_path(uri: str) -> Path | None:
    """The file of an SQLite address, None for other addresses."""
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix)) if uri.startswith(prefix) else None


def without_password(uri: str) -> tuple[str, str]:
    """An address as it may be shown, and the password that was in it, empty if there was none."""
    parts = urlsplit(uri)
    password = parts.password or "".join(re.findall(r"(?:^|&)password=([^&]*)", parts.query)[:1])
    return (
        uri.replace(f"{password}@", "***@").replace(f"password={password}", "password=***") if password else uri
    ), password


def taken_over(tags: Mapping[str, str], facts: Mapping[str, Any]) -> bool:
    """Whether another process has gone on with a run since one noted its facts."""
    return "process" in facts and any(tags.get(key) != facts[key] for key in ("host", "process"))


def is_this_process(facts: Mapping[str, Any]) -> bool:
    """Whether it is this process that noted the facts."""
    own = process_tags()
    return all(facts.get(key) == own[key] for key in ("host", "process"))


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
