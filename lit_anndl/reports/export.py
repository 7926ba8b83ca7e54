"""Measurements out of the store."""

import math
from collections.abc import Iterator, Mapping

from lit_anndl.reports.measurements import BEST, Measurement
from lit_anndl.studies.definition import Definition
from lit_anndl.tracking.store import TrackingStore
from lit_anndl.tracking.study_results import StudyResult, study_results

_LEFT_OUT = ("seconds/", "bytes/")


def measured_in(store: TrackingStore, definition: Definition) -> list[Measurement]:
    """What the store has of a study, in the order of its rows and seeds.

    Raises:
        InputError: the store cannot be reached.
    """
    rows = {row: place for place, row in enumerate(definition.rows)} or {BEST: 0}
    found = [each for each in _measurements(study_results(store, definition.name)) if each.row in rows]
    return sorted(found, key=lambda each: (rows[each.row], each.seed))


def _measurements(results: list[StudyResult]) -> Iterator[Measurement]:
    for result in results:
        metrics = {
            name: value
            for name, value in result.metrics.items()
            if not name.startswith(_LEFT_OUT) and math.isfinite(value)
        }
        yield Measurement(
            row=result.row or BEST,
            seed=result.seed,
            metrics=metrics,
            seconds=result.metrics.get("seconds/fit", math.nan),
            commit=result.tags.get("git_commit", "unknown").replace("+changes", "+")[:11],
            date=result.began,
            processor=_processor(result.tags),
            versions=f"Python {result.tags.get('python', '?')}, torch {result.tags.get('version.torch', '?')}",
        )


def _processor(tags: Mapping[str, str]) -> str:
    """What a run ran on: the GPU if there was one, or else the processor and its number of cores."""
    return tags.get("gpu") or f"{tags.get('cpu', 'unknown')}, {tags.get('cpus', '?')} cores"
