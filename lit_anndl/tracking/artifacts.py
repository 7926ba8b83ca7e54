"""The files of a run: its checkpoints, configuration, figures and tables."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlflow.entities import Run

from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.liveness import process_tags
from lit_anndl.tracking.ownership import taken_over
from lit_anndl.tracking.store import TrackingStore

CONFIGURATION, LAST_CHECKPOINT = "config.yaml", "checkpoints/last.ckpt"


def artifact_folder(store: TrackingStore, run: Run) -> Path:
    """The folder that a run's artifacts are written to: their own, or where they wait for a store elsewhere."""
    return _local_artifacts(run) or store.outbox(run.info.run_id).artifacts


def fetch(store: TrackingStore, run: Run, name: str, folder: str) -> Path | None:
    """A run's artifact as a file, in a folder if it has to be fetched; None if the run has no such one.

    Raises:
        Unreachable: the store is away.
    """
    if (path := artifact_folder(store, run) / name).exists() and not _is_outdated(store, run):
        return path
    with store.translate_errors():
        if all(item.path != name for item in store.client.list_artifacts(run.info.run_id, name.rpartition("/")[0])):
            return None
        return Path(store.client.download_artifacts(run.info.run_id, name, folder))


@contextmanager
def fetched(store: TrackingStore, run_id: str, name: str) -> Iterator[Path | None]:
    """A run's artifact, on this machine's disks within the context; None if it has no such one, or is gone."""
    with tempfile.TemporaryDirectory() as folder:
        with store.translate_errors():
            run = store.find(run_id)
        yield fetch(store, run, name, folder) if run else None


def last_checkpoint(store: TrackingStore, run: Run) -> Path | None:
    """The checkpoint that a run can go on from, fetched if the store is elsewhere; None if it has none yet.

    Raises:
        InputError: the run has trained, but its checkpoint is gone, or is on another machine still.
    """
    path = artifact_folder(store, run) / LAST_CHECKPOINT
    if not path.exists() and not _local_artifacts(run):
        with store.translate_errors():
            _fetch_checkpoints(store, run)
    if path.exists():
        return path
    if run.data.metrics:
        left = f" (the run was last on {run.data.tags['host']})" if "host" in run.data.tags else ""
        raise InputError(f"{path}: the checkpoint to go on from is not there{left}")
    return None


def _fetch_checkpoints(store: TrackingStore, run: Run) -> None:
    """Fetches the checkpoints of a run into its outbox, which is this process' own then."""
    outbox = store.outbox(run.info.run_id)
    with store.changing():
        if (outbox.artifacts / LAST_CHECKPOINT).exists():  # another rank was faster
            return
        if not store.client.list_artifacts(run.info.run_id, "checkpoints"):
            return
        if not outbox.metadata():
            outbox.note(store=store.uri, **process_tags())
        with tempfile.TemporaryDirectory(dir=outbox.folder) as folder:
            found = Path(store.client.download_artifacts(run.info.run_id, "checkpoints", folder))
            outbox.artifacts.mkdir(exist_ok=True)
            found.rename(outbox.artifacts / "checkpoints")


def _is_outdated(store: TrackingStore, run: Run) -> bool:
    """Whether what waits here for a store elsewhere is of an earlier process than the run's latest."""
    return not _local_artifacts(run) and taken_over(run.data.tags, store.outbox(run.info.run_id).metadata())


def _local_artifacts(run: Run) -> Path | None:
    """The folder of a run's artifacts, None if they are not on this machine's disks."""
    parts = urlsplit(run.info.artifact_uri)
    return Path(url2pathname(parts.path)) if parts.scheme in ("", "file") else None
