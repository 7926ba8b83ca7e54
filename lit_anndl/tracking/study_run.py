"""The record that a study's runs hang under."""

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event
from typing import Any

from matplotlib.figure import Figure
from mlflow.entities import RunTag
from mlflow.exceptions import MlflowException

from lit_anndl.runtime.errors import Unreachable
from lit_anndl.runtime.records import Table
from lit_anndl.tracking.artifacts import CONFIGURATION
from lit_anndl.tracking.comparison import SHARED_VIEW, shared_view
from lit_anndl.tracking.store import TrackingStore

_log = logging.getLogger(__name__)


class StudyRun:
    """The parent run of a study, shared by all its workers, each of which only notes that it lives.

    What cannot be noted while the store is away is noted by whoever is next; a warning says so.

    Args:
        store: where it is.
        run_id: which.
    """

    def __init__(self, store: TrackingStore, run_id: str) -> None:
        self.store = store
        self.run_id = run_id

    @classmethod
    def create(cls, store: TrackingStore, exercise: str, study: str, definition: str) -> "StudyRun":
        """A new parent run in the exercise's experiment, with the study file as its configuration.

        Raises:
            InputError: the store cannot be reached.
        """
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or exercise
        with store.translate_errors():
            run = store.client.create_run(
                store.experiment(name),
                run_name=study,
                tags={"exercise": exercise, "study": study, "mlflow.source.type": "LOCAL", **_heartbeat_tags()},
            )
            store.client.log_text(run.info.run_id, definition, CONFIGURATION)
        return cls(store, run.info.run_id)

    def heartbeat(self) -> None:
        """Notes that somebody works on the study; a parent that nobody does is marked KILLED by the next command."""
        with self._warning():
            self.store.client.set_tag(self.run_id, "heartbeat", _heartbeat_tags()["heartbeat"])

    def set_status(self, status: str) -> None:
        """RUNNING, SCHEDULED where a cluster has yet to begin, or how it ended."""
        with self._warning():
            if status in ("RUNNING", "SCHEDULED"):
                self.heartbeat()
                self.store.client.set_tag(self.run_id, "error", "")
                self.store.client.update_run(self.run_id, status=status)
            else:
                self.store.client.set_terminated(self.run_id, status)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Notes tags."""
        with self._warning():
            for key, value in tags.items():
                self.store.client.set_tag(self.run_id, key, value)

    def set_view(self, study: str, metric: str, **layout: Any) -> None:
        """Lays out how MLflow's UI compares the study's runs, see `shared_view`."""
        view = shared_view(self.run_id, metric, **layout)
        with self._warning():
            experiment = self.store.client.get_run(self.run_id).info.experiment_id
            self.store.client.set_experiment_tag(experiment, SHARED_VIEW + study, view)

    def tag_trial(self, runs: Iterable[str], number: int, state: str) -> None:
        """Says of runs which trial they belong to, and how that stands."""
        tags = [RunTag("trial", str(number)), RunTag("trial_state", state)]
        for run_id in runs:
            with self._warning():  # one may have been deleted
                self.store.client.log_batch(run_id, tags=tags)

    def log_tables(self, tables: Mapping[str, Table], texts: Mapping[str, str]) -> bool:
        """Stores tables as tables/NAME.json, and texts under their names; returns whether all of them are stored."""
        with self._warning() as done:
            for name, table in tables.items():
                rows = [list(row) for row in zip(*table.values(), strict=True)]
                self.store.client.log_dict(self.run_id, {"columns": list(table), "data": rows}, f"tables/{name}.json")
            for name, text in texts.items():
                self.store.client.log_text(self.run_id, text, name)
            done.set()
        return done.is_set()

    def log_figures(self, figures: Iterable[tuple[str, Figure]]) -> bool:
        """Stores figures, drawn one after the other, as figures/NAME.png; returns whether all of them are stored."""
        with self._warning() as done:
            for name, figure in figures:
                style = {"dpi": 120, "bbox_inches": "tight"}
                self.store.client.log_figure(self.run_id, figure, f"figures/{name}.png", save_kwargs=style)
            done.set()
        return done.is_set()

    @contextmanager
    def _warning(self) -> Iterator[Event]:
        """Within it a store that is away costs a warning; yields what is to be set at the end."""
        try:
            yield Event()
        except (MlflowException, OSError, Unreachable) as error:
            _log.warning(
                "the study's own record in MLflow could not be brought up to date: %s", self.store.redact(error)
            )


def _heartbeat_tags() -> dict[str, str]:
    """Tags of a run that belongs to no single process: it lives as long as somebody's heart beats."""
    return {"host": "", "process": "0", "heartbeat": str(time.time())}
