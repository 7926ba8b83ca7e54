"""Measurements out of the store."""

import math
from collections.abc import Iterator, Mapping

from lit_anndl.reports.measurements import Measurement, in_order, of_tested_weights, without_stale
from lit_anndl.studies.definition import BEST, Definition
from lit_anndl.tracking.store import TrackingStore
from lit_anndl.tracking.study_results import StudyResult, study_results


def measured_in(store: TrackingStore, definition: Definition) -> list[Measurement]:
    """What the store has of a study, in the order of its rows and seeds.

    What was measured with other settings than the study has by now is left out, with a warning.

    Raises:
        InputError: the store cannot be reached.
    """
    results = [each for each in study_results(store, definition.name) if (each.row or BEST) in definition.row_names]
    found = without_stale([*_measurements(results, definition)], definition, f"runs of study {definition.name}")
    return in_order(found, definition)


def _measurements(results: list[StudyResult], definition: Definition) -> Iterator[Measurement]:
    for result in results:
        row = result.row or BEST
        yield Measurement(
            row=row,
            seed=result.seed,
            settings=result.tags.get("settings", ""),
            metrics=of_tested_weights(result.metrics),
            seconds=result.metrics.get("seconds/fit", math.nan),
            commit=_commit(result.tags),
            date=result.began,
            processor=_processor(result.tags),
            versions=f"Python {result.tags.get('python', '?')}, torch {result.tags.get('version.torch', '?')}",
            chosen=", ".join(f"{name} {result.settings[name]}" for name in definition.space if name in result.settings),
        )


def _commit(tags: Mapping[str, str]) -> str:
    """The beginning of a run's commit, with a + where files were changed since."""
    commit, changed, _ = tags.get("git_commit", "unknown").partition("+")
    return commit[:11] + changed


def _processor(tags: Mapping[str, str]) -> str:
    """What a run ran on: the GPU if there was one, or else the processor and its number of cores."""
    return tags.get("gpu") or f"{tags.get('cpu', 'unknown')}, {tags.get('cpus', '?')} cores"
