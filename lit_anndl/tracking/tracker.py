"""One run's record, while it is being made."""

import getpass
import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.figure import Figure
from mlflow.entities import Run, RunTag
from mlflow.exceptions import MlflowException

from lit_anndl.runtime.errors import InputError, RunFailure, TakenOver
from lit_anndl.runtime.files import remove_unfinished, write_atomically
from lit_anndl.runtime.liveness import has_died, process_tags
from lit_anndl.runtime.records import Table
from lit_anndl.tracking import delivery
from lit_anndl.tracking.artifacts import CONFIGURATION, artifact_folder
from lit_anndl.tracking.figure_files import figure_files
from lit_anndl.tracking.outbox import Entry
from lit_anndl.tracking.ownership import Ownership
from lit_anndl.tracking.store import TrackingStore

_log = logging.getLogger(__name__)

_DELIVERY_SECONDS = 5.0


class Tracker(Logger):
    """A run in the store. Metrics stand against the epoch; they are sent every few seconds by a thread.

    While the store is away, training goes on: what it would have got waits in the outbox. Before anything is written
    the run is asked whose it is: a process that was believed dead, while another has gone on with its run, ends.

    Args:
        exercise: the exercise's name, and the experiment's unless MLFLOW_EXPERIMENT_NAME gives another.
        store: where to record.

    Attributes:
        history: what was logged, by metric: pairs of epoch and value.
    """

    def __init__(self, exercise: str, store: TrackingStore) -> None:
        super().__init__()
        self.exercise = exercise
        self.store = store
        self.history: dict[str, list[tuple[int, float]]] = {}
        self._tables: set[str] = set()
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
        tags = {**tags, "mlflow.user": user(), "mlflow.source.type": "LOCAL", "mlflow.loggedImages": "True"}
        with self.store.translate_errors(), self.store.changing():
            run = self.store.create_run(self.name, run_name, tags)
            self._attach(run, parameters)
        self._put(CONFIGURATION, configuration.encode())
        self._begin_delivery()

    def resume(self, run: Run, configuration: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Goes on with a run, RUNNING again; epochs that it has recorded are not recorded twice.

        Raises:
            InputError: another process is running it.
        """
        entries = [RunTag(key, value) for key, value in {**tags, **process_tags(), "error": ""}.items()]
        with self.store.translate_errors(), self.store.changing():  # of two that resume at once, one is refused
            run = self.store.run(run.info.run_id)
            if run.info.status == "RUNNING" and not has_died(run.data.tags):
                raise InputError(f"run {run.info.run_id} is still running")
            self.history = self.store.recorded(run)
            self.store.client.log_batch(run.info.run_id, tags=entries)
            self.store.client.update_run(run.info.run_id, status="RUNNING")
            self._attach(run, {key: value for key, value in parameters.items() if key not in run.data.params})
        self._known = {(name, epoch) for name, pairs in self.history.items() for epoch, _ in pairs}
        self._put(CONFIGURATION, configuration.encode())
        self._begin_delivery()

    def checkpoint_directory(self) -> Path:
        """Where this run's checkpoints are written."""
        return self._artifacts / "checkpoints"

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Notes metrics against `metrics["epoch"]`; they are sent with those of the next seconds.

        Raises:
            TakenOver: the run has been found to be another process'.
        """
        if self._ownership.is_lost:
            raise TakenOver(self.run_id)
        epoch = int(metrics.get("epoch", step or 0))
        milliseconds = int(time.time() * 1000)
        fresh = [name for name in metrics if name != "epoch" and (name, epoch) not in self._known]
        for name in fresh:
            self.history.setdefault(name, []).append((epoch, metrics[name]))
        self._outbox.append([Entry(name, metrics[name], milliseconds, epoch) for name in fresh])

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing: `start` records the whole configuration."""

    def log_figure(self, name: str, figure: Figure) -> None:
        """Stores a figure as figures/NAME.png, and once more where MLflow's charts lay those of several runs out.

        Raises:
            RunFailure: there is no room, or the run is another process' by now.
        """
        assert self._run is not None, "the run has not started"
        for path, content in figure_files(self._run, name, figure):
            self._write(path, content)

    def log_table(self, name: str, table: Table) -> None:
        """Stores a table, columns by heading, as tables/NAME.json in the form that MLflow's own tables have.

        Raises:
            RunFailure: there is no room, or the run is another process' by now.
        """
        rows = [list(row) for row in zip(*table.values(), strict=True)]
        self._tables.add(f"tables/{name}.json")
        self._write(f"tables/{name}.json", json.dumps({"columns": list(table), "data": rows}).encode())

    @rank_zero_only
    def save(self) -> None:
        """Puts what is logged on the disk, before a checkpoint is written.

        Raises:
            RunFailure: there is no room, or the run is another process' by now.
        """
        self._ownership.check()
        try:
            self._outbox.write()
        except OSError as error:
            raise RunFailure(f"{self._outbox.folder} cannot be written ({error.strerror})") from error

    def deliver(self) -> None:
        """Sends what is logged now; when the store is away, warns once."""
        with self._delivery:
            if self._ended.is_set():  # and what it has ended as stands
                return
            try:
                if not self._ownership.ask():
                    self.store.client.set_tag(self.run_id, "heartbeat", str(time.time()))
                    delivery.deliver(self.store.client, self.run_id, self._outbox)
            except (MlflowException, OSError) as error:
                self._warn(error)
                with suppress(OSError):  # the disk is full: training will notice when it writes a checkpoint
                    self._outbox.write()

    def close(self, status: str, tags: Mapping[str, str] | None = None) -> None:
        """Ends the run, if it has begun, with its true status: FINISHED, FAILED or KILLED.

        Raises:
            TakenOver: it is another process' to end.
        """
        if self._run is None:
            return
        self._ended.set()
        listed = json.dumps([{"path": path, "type": "table"} for path in sorted(self._tables)])
        tags = {
            **(tags or {}),
            **({"mlflow.loggedArtifacts": listed} if self._tables else {}),
        }  # for mlflow.load_table
        if self._ownership.is_lost_here():
            raise TakenOver(self.run_id)
        with suppress(OSError):  # what does not fit on the disk may still reach the store
            self._outbox.note(status=status, tags=tags)
        with suppress(OSError):
            self._outbox.write()
        self._ownership.check()
        with self._delivery:
            try:
                delivery.finish(self.store.client, self.run_id, self._outbox, status, tags)
            except MlflowException as error:
                self._warn(error)
            except OSError as error:
                self._warn(error)
                with suppress(MlflowException):
                    self.store.client.set_terminated(self.run_id, status)

    def _attach(self, run: Run, parameters: Mapping[str, Any]) -> None:
        """Takes a run for this process; its parameters wait for delivery."""
        self._outbox = self.store.outbox(run.info.run_id)
        self._ownership = Ownership(self.store.client, run.info.run_id, self._outbox)
        self._artifacts = artifact_folder(self.store, run)
        self._run = run
        remove_unfinished(self._artifacts)
        self._outbox.note(store=self.store.uri, parameters=dict(parameters), **process_tags())

    def _begin_delivery(self) -> None:
        self.deliver()
        threading.Thread(target=self._deliver_regularly, name="tracking", daemon=True).start()

    def _deliver_regularly(self) -> None:
        while not self._ended.wait(_DELIVERY_SECONDS):
            self.deliver()

    def _write(self, name: str, content: bytes) -> None:
        """Writes an artifact, if the run is still this process'."""
        self._ownership.check()
        self._put(name, content)

    def _put(self, name: str, content: bytes) -> None:
        try:
            write_atomically(self._artifacts / name, content)
        except OSError as error:
            raise RunFailure(f"{self._artifacts / name} cannot be written ({error.strerror})") from error

    def _warn(self, error: Exception) -> None:
        if not self._away:
            _log.warning(
                "tracking store %s does not answer (%s); the run goes on, and what it logs waits in %s. "
                "It is delivered when the store is back, by the next command or by: python -m lit_anndl.deliver",
                self.store.uri,
                self.store.redact(error),
                self._outbox.folder,
            )
        self._away = True


def user() -> str:
    """Whose run it is."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # containers run under ids that have no name
        return str(os.getuid())
