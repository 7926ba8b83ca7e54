"""What the runs of a study have measured, as the store has it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlflow.entities import Run

from lit_anndl.tracking.artifacts import fetched
from lit_anndl.tracking.store import TrackingStore


@dataclass(frozen=True)
class StudyResult:
    """A finished run of a study.

    Args:
        row: the row that it is a run of, None for a trial of a search.
        seed: its seed.
        settings: its settings by dotted name, as they are written.
        metrics: what it measured, the last value of each.
        tags: the commit, the packages and the machine among them.
        began: the day, as 2026-01-31.
    """

    row: str | None
    seed: int
    settings: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    began: str


def study_results(store: TrackingStore, study: str) -> list[StudyResult]:
    """The finished runs of a study, of a search those of its best trial, the latest of each row, seed and settings.

    Raises:
        InputError: the store cannot be reached.
    """
    found: dict[tuple[str | None, int, str | None], StudyResult] = {}
    with store.translate_errors():
        parents = _runs(store, f"tags.study = '{_quoted(study)}'", parents=True)
        best = {(parent.info.run_id, parent.data.tags.get("best_trial")) for parent in parents}
        finished = f"tags.study = '{_quoted(study)}' and attributes.status = 'FINISHED'"
        for run in _runs(store, finished, parents=False):
            row, seed = run.data.tags.get("row"), int(run.data.params["seed_everything"])
            if row is not None or (run.data.tags["mlflow.parentRunId"], run.data.tags["trial"]) in best:
                found[row, seed, run.data.tags.get("settings")] = _result(run, row, seed)
    return list(found.values())


def study_figures(store: TrackingStore, study: str) -> dict[str, bytes]:
    """The pictures on a study's parent run by name, PNG; none if there is no such run.

    Raises:
        InputError: the store cannot be reached.
    """
    with store.translate_errors():
        parents = _runs(store, f"tags.study = '{_quoted(study)}'", parents=True)
        run_id = parents[-1].info.run_id if parents else None
        names = [item.path for item in store.client.list_artifacts(run_id, "figures")] if run_id else []
    return dict(_contents(store, str(run_id), names))


def _contents(store: TrackingStore, run_id: str, names: list[str]) -> Iterator[tuple[str, bytes]]:
    for name in names:
        with fetched(store, run_id, name) as path:
            if path:
                yield path.stem, path.read_bytes()


def _runs(store: TrackingStore, condition: str, *, parents: bool) -> list[Run]:
    """The runs of which a condition holds, those that hang under another or those that do not, oldest first."""
    experiments = [experiment.experiment_id for experiment in store.client.search_experiments()]
    found: list[Run] = []
    page: Any = None
    while page is None or page.token:
        token = page.token if page else None
        page = store.client.search_runs(
            experiments, condition, order_by=["attributes.start_time ASC"], page_token=token
        )
        found += page
    return [run for run in found if ("mlflow.parentRunId" not in run.data.tags) == parents]


def _result(run: Run, row: str | None, seed: int) -> StudyResult:
    began = datetime.fromtimestamp(run.info.start_time / 1000, UTC).date().isoformat()
    data = run.data
    return StudyResult(row, seed, dict(data.params), dict(data.metrics), dict(data.tags), began)


def _quoted(study: str) -> str:
    return study.replace("'", "")  # no name has any
