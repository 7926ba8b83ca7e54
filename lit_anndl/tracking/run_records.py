"""What finished runs have left, read back."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_anndl.runtime.records import ELAPSED, History, Table
from lit_anndl.tracking.artifacts import fetched
from lit_anndl.tracking.store import TrackingStore


@dataclass(frozen=True)
class Record:
    """A run's learning curves, and the seconds of fit at the end of each epoch (none, if they were not kept)."""

    history: History
    elapsed: list[float]


def read_record(store: TrackingStore, run_id: str, metrics: Iterable[str]) -> Record:
    """The record of a run, for those of some metrics that it has logged.

    Raises:
        InputError: there is no such run; the store cannot be reached.
    """
    logged = store.run(run_id).data.metrics
    with store.translate_errors():
        histories = {name: store.client.get_metric_history(run_id, name) for name in metrics if name in logged}
    table = _read_artifact(store, run_id, f"tables/{ELAPSED}.json")
    elapsed = [seconds for _, seconds in json.loads(table)["data"]] if table else []
    return Record({name: [(m.step, m.value) for m in history] for name, history in histories.items()}, elapsed)


def read_table(store: TrackingStore, run_id: str, name: str) -> Table | None:
    """A run's table, None if it has no such one, or is gone.

    Raises:
        InputError: the store cannot be reached.
    """
    text = _read_artifact(store, run_id, f"tables/{name}.json")
    if text is None:
        return None
    content = json.loads(text)
    return {name: [line[number] for line in content["data"]] for number, name in enumerate(content["columns"])}


def read_figure(store: TrackingStore, run_id: str, name: str) -> NDArray[Any] | None:
    """The pixels of a run's figure (height, width, RGB), None if it has no such figure, or is gone.

    Raises:
        InputError: the store cannot be reached.
    """
    with fetched(store, run_id, f"figures/{name}.png") as path:
        if path is None:
            return None
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))


def figure_names(store: TrackingStore, run_id: str) -> list[str]:
    """The names of a run's figures.

    Raises:
        InputError: the store cannot be reached.
    """
    with store.translate_errors():
        return sorted(Path(item.path).stem for item in store.client.list_artifacts(run_id, "figures"))


def _read_artifact(store: TrackingStore, run_id: str, name: str) -> str | None:
    """The text of a run's artifact, None if it has no such one, or is gone."""
    with fetched(store, run_id, name) as path:
        return path.read_text(encoding="utf-8") if path else None
