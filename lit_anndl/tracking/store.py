"""The tracking store: what has been recorded."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from lit_anndl.runtime.addresses import shown, sqlite_address, without_passwords
from lit_anndl.runtime.errors import InputError, Unreachable, first_line
from lit_anndl.runtime.liveness import host, process_tags
from lit_anndl.runtime.paths import run_store
from lit_anndl.tracking.connection import open_client, read_uri
from lit_anndl.tracking.outbox import Outbox

ARTIFACTS = "artifacts"
"""The folder of the artifacts, beside a local database."""
_RUN_ID = re.compile("[0-9a-f]{32}")


class TrackingStore:
    """A tracking store: MLFLOW_TRACKING_URI, or the project's own `mlruns/mlflow.db`.

    Raises:
        InputError: it cannot be reached.
    """

    def __init__(self) -> None:
        self.address = os.environ.get("MLFLOW_TRACKING_URI") or sqlite_address(run_store() / "mlflow.db")
        self._url = read_uri(self.address)
        self.uri = shown(self._url)
        self.database = Path(self._url.database or "") if self._url.drivername == "sqlite" else None
        try:
            self.client = open_client(self.address, self.database)
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
        """The id of the experiment that holds a study, the run above its own; these may be in several.

        Raises:
            InputError: there is no such study.
        """
        experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
        quoted = study.replace("'", "")  # no name has any
        runs = self.client.search_runs(experiments, f"tags.study = '{quoted}'")
        if not runs:
            raise InputError(f"there are no runs of a study {study} in {self.uri}")
        parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
        return str((parents or runs)[0].info.experiment_id)

    def run(self, run_id: str) -> Run:
        """A run.

        Raises:
            InputError: there is none of that id.
        """
        with self.translate_errors():
            run = self.find(run_id)
        if run is None:
            hint = "" if _RUN_ID.fullmatch(run_id) else "; expected a run id of 32 hexadecimal digits"
            raise InputError(f"there is no run {run_id or '(nothing given)'} in the tracking store {self.uri}{hint}")
        return run

    def run_of(self, process: str) -> str | None:
        """The id of the run that a process of this machine (as `liveness.process` tells it) has tracked, if any."""
        with self.translate_errors():
            experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
            runs = self.client.search_runs(experiments, f"tags.process = '{process}'")
        return next((str(run.info.run_id) for run in runs if run.data.tags["host"] == host()), None)

    def mark_killed(self, run_id: str, error: str) -> None:
        """Notes that a run was interrupted, whatever it was thought to have ended of."""
        with self.translate_errors():
            self.client.set_tag(run_id, "error", error)
            self.client.set_terminated(run_id, "KILLED")

    def outbox(self, run_id: str) -> Outbox:
        """Where a run's undelivered records wait."""
        return Outbox(self.outboxes() / run_id)

    def changing(self) -> FileLock:
        """The lock that is held while a run of a dead process is taken over."""
        self.outboxes().mkdir(parents=True, exist_ok=True)
        return FileLock(self.outboxes() / ".lock")

    def recorded(self, run: Run) -> dict[str, list[tuple[int, float]]]:
        """The (epoch, value) pairs that the store has of each of a run's metrics."""
        histories = {name: self.client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
        return {name: [(metric.step, metric.value) for metric in history] for name, history in histories.items()}

    def outboxes(self) -> Path:
        """The folder of everything that waits."""
        return (self.database.parent if self.database else run_store()) / "spool"

    def find(self, run_id: str) -> Run | None:
        """A run, None where the user has deleted it, or where no run can have such an id."""
        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise
        return run if run.info.lifecycle_stage == "active" else None

    def _delete_doubles(self, run: Run, tags: Mapping[str, str]) -> None:
        """Deletes the other runs with the tags of one that has just been created."""
        same = " and ".join(f"tags.{key} = '{value}'" for key, value in tags.items())
        for other in self.client.search_runs([run.info.experiment_id], same):
            if other.info.run_id != run.info.run_id:
                self.client.delete_run(other.info.run_id)


def artifacts_beside(database: Path) -> Path:
    """Where the artifacts of a local database are."""
    return (database.parent / ARTIFACTS).absolute()
