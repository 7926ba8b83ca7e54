"""One run's record, while it is being made."""

import getpass
import io
import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.figure import Figure
from mlflow.entities import Run, RunTag
from mlflow.exceptions import MlflowException
from PIL import Image

from lit_anndl.runtime.errors import InputError, RunFailure, TakenOver
from lit_anndl.runtime.files import remove_unfinished, write_atomically
from lit_anndl.runtime.liveness import has_died, process_tags
from lit_anndl.runtime.records import Table
from lit_anndl.tracking.outbox import Entry
from lit_anndl.tracking.store import CONFIGURATION, TrackingStore, taken_over

log = logging.getLogger(__name__)

_DELIVERY_SECONDS = 5.0
_THUMBNAIL = (512, 512)
"""The pixels that a figure has among others at most."""


class Tracker(Logger):
    """A run in the store. Metrics stand against the epoch; they are sent every few seconds by a thread.

    While the store is away, training goes on: what it would have got waits in the spool. Before anything is written
    the run is asked whose it is: a process that was believed dead, while another has gone on with its run, ends.

    Args:
        exercise: the exercise's name, and the experiment's unless MLFLOW_EXPERIMENT_NAME gives another.
        store: where to record.
    """

    def __init__(self, exercise: str, store: TrackingStore) -> None:
        super().__init__()
        self.exercise = exercise
        self.store = store
        self.history: dict[str, list[tuple[int, float]]] = {}
        self._known: set[tuple[str, int]] = set()
        self._run: Run | None = None
        self._away = False
        self._lost = False
        self._asked = 0.0
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
        if self._lost:
            raise TakenOver(self.run_id)
        epoch = int(metrics.get("epoch", step or 0))
        milliseconds = int(time.time() * 1000)
        fresh = [name for name in metrics if name != "epoch" and (name, epoch) not in self._known]
        for name in fresh:
            self.history.setdefault(name, []).append((epoch, metrics[name]))
        self._spool.append([Entry(name, metrics[name], milliseconds, epoch) for name in fresh])

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing: `start` records the whole configuration."""

    def log_figure(self, name: str, figure: Figure) -> None:
        """Stores a figure as figures/NAME.png, and once more where MLflow's charts lay those of several runs out.

        Raises:
            RunFailure: there is no room, or the run is another process' by now.
        """
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=120)
        self._write(f"figures/{name}.png", content.getvalue())
        image_name = self._image_name(f"figures/{name}")
        self._write(f"{image_name}.png", content.getvalue())
        self._write(f"{image_name}+compressed.webp", thumbnail(content))

    def log_table(self, name: str, table: Table) -> None:
        """Stores a table, columns by heading, as tables/NAME.json in the form that MLflow's own tables have.

        Raises:
            RunFailure: there is no room, or the run is another process' by now.
        """
        rows = [list(row) for row in zip(*table.values(), strict=True)]
        self._write(f"tables/{name}.json", json.dumps({"columns": list(table), "data": rows}).encode())

    @rank_zero_only
    def save(self) -> None:
        """Puts what is logged on the disk, before a checkpoint is written.

        Raises:
            RunFailure: there is no room, or the run is another process' by now.
        """
        self._refuse_takeover()
        try:
            self._spool.write()
        except OSError as error:
            raise RunFailure(f"{self._spool.folder} cannot be written ({error.strerror})") from error

    def deliver(self) -> None:
        """Sends what is logged now; when the store is away, warns once."""
        with self._delivery:
            try:
                if not self._is_taken_over():
                    self.store.client.set_tag(self.run_id, "heartbeat", str(time.time()))
                    self.store.deliver(self.run_id, self._spool)
            except (MlflowException, OSError) as error:
                self._warn(error)
                with suppress(OSError):  # the disk is full: training will notice when it writes a checkpoint
                    self._spool.write()

    def close(self, status: str, tags: Mapping[str, str] | None = None) -> None:
        """Ends the run, if it has begun, with its true status: FINISHED, FAILED or KILLED.

        Raises:
            TakenOver: it is another process' to end.
        """
        if self._run is None:
            return
        self._ended.set()
        tags = dict(tags or {})
        if self._is_lost_here():
            raise TakenOver(self.run_id)
        with suppress(OSError):  # what does not fit on the disk may still reach the store
            self._spool.note(status=status, tags=tags)
        with suppress(OSError):
            self._spool.write()
        self._refuse_takeover()
        with self._delivery:
            try:
                self.store.finish(self.run_id, self._spool, status, tags)
            except MlflowException as error:
                self._warn(error)
            except OSError as error:
                self._warn(error)
                with suppress(MlflowException):
                    self.store.client.set_terminated(self.run_id, status)

    def _attach(self, run: Run, parameters: Mapping[str, Any]) -> None:
        """Takes a run for this process; its parameters wait for delivery."""
        self._spool = self.store.spool(run.info.run_id)
        self._artifacts = self.store.artifacts(run)
        self._run = run
        remove_unfinished(self._artifacts)
        self._spool.note(store=self.store.uri, parameters=dict(parameters), **process_tags())

    def _is_taken_over(self) -> bool:
        """Whether the run is another process' by now, which has believed this one dead.

        Raises:
            MlflowException, OSError: the store is away, and no other process of this machine has taken the run.
        """
        if not self._is_lost_here():
            self._asked = time.time()
            self._lost = self.store.is_taken_over(self.run_id)
        return self._lost

    def _is_lost_here(self) -> bool:
        """Whether another process of this machine has taken the run, or any as far as is known."""
        facts = self._spool.metadata()
        self._lost = self._lost or (bool(facts) and taken_over(facts, process_tags()))
        return self._lost

    def _refuse_takeover(self) -> None:
        """Raises TakenOver if the run is another process'; a store that is away has not said so.

        The store was asked in these seconds, as a rule, by the thread that delivers; a process that was stopped and
        goes on asks again.
        """
        with suppress(MlflowException, OSError):
            recently = time.time() - self._asked < _DELIVERY_SECONDS
            if self._is_lost_here() or (not recently and self._is_taken_over()):
                raise TakenOver(self.run_id)

    def _begin_delivery(self) -> None:
        self.deliver()
        threading.Thread(target=self._deliver_regularly, name="tracking", daemon=True).start()

    def _deliver_regularly(self) -> None:
        while not self._ended.wait(_DELIVERY_SECONDS):
            self.deliver()

    def _write(self, name: str, content: bytes) -> None:
        """Writes an artifact, if the run is still this process'."""
        self._refuse_takeover()
        self._put(name, content)

    def _put(self, name: str, content: bytes) -> None:
        try:
            write_atomically(self._artifacts / name, content)
        except OSError as error:
            raise RunFailure(f"{self._artifacts / name} cannot be written ({error.strerror})") from error

    def _image_name(self, key: str) -> str:
        """A picture's name in the form of `MlflowClient.log_image`; always the same, so that a new one replaces it."""
        assert self._run is not None
        own = uuid5(NAMESPACE_URL, f"{self.run_id}/{key}")
        return f"images/{key.replace('/', '~')}+step+0+timestamp+{self._run.info.start_time}+{own}"

    def _warn(self, error: Exception) -> None:
        if not self._away:
            log.warning(
                "tracking store %s does not answer (%s); the run goes on, and what it logs waits in %s. "
                "It is delivered when the store is back, by the next command or by: python -m lit_anndl.deliver",
                self.store.uri,
                self.store.redact(error),
                self._spool.folder,
            )
        self._away = True


def thumbnail(png: io.BytesIO) -> bytes:
    """A picture in small, as WebP."""
    small = io.BytesIO()
    with Image.open(png) as image:
        image.thumbnail(_THUMBNAIL)
        image.save(small, format="webp")
    return small.getvalue()


def user() -> str:
    """Whose run it is."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # containers run under ids that have no name
        return str(os.getuid())
