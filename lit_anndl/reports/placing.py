"""A run of one's own among the published rows of its exercise."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from lit_anndl.reports.measurements import group, of_tested_weights, values_of
from lit_anndl.reports.study_page import DIGITS, StudyPage
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.numbers import significant
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.rows import spread
from lit_anndl.studies.trial import configure
from lit_anndl.tracking.exercise_runs import ExerciseRun

_SHOWN = 2
"""Differing settings that are named."""


@dataclass(frozen=True)
class Place:
    """A row of a study, or the run itself, with one metric.

    Args:
        name: the row's, or the run's.
        published: numbers by source.
        measured: median and range over the seeds, or the run's own value.
        value: what the lines are sorted by.
        mark: whether it is the run, or how the row's settings differ from the run's.
    """

    name: str
    published: Mapping[str, float]
    measured: str
    value: float
    mark: str


def places(run: ExerciseRun, pages: Sequence[StudyPage]) -> dict[tuple[str, str], list[Place]]:
    """For each study of the run's exercise and each published metric that the run has, its rows in order.

    Raises:
        InputError: no study has published numbers of the exercise.
    """
    found: dict[tuple[str, str], list[Place]] = {}
    measured = of_tested_weights(run.metrics)
    for page in pages:
        if run.exercise not in page.definition.exercises:
            continue
        published = page.definition.published.values()
        for metric in dict.fromkeys(metric for by_metric in published for metric in by_metric):
            if (value := measured.get(metric)) is not None:
                own = Place(f"run {run.run_id}", {}, significant(value, DIGITS), value, "this run")
                lines = [own, *_rows(page, metric, run)]
                reverse = page.definition.direction == "maximize"
                found[page.name, metric] = sorted(lines, key=lambda each: each.value, reverse=reverse)
    if not found:
        raise InputError(f"nothing is published of what run {run.run_id} of {run.exercise} has measured")
    return found


def _rows(page: StudyPage, metric: str, run: ExerciseRun) -> Iterator[Place]:
    """The rows that have a number, measured or published."""
    measurements = group(page.measurements)
    for row in page.definition.row_names:
        values = values_of(measurements.get(row, []), metric)
        published = page.definition.published.get(row, {}).get(metric, {})
        if values or published:
            value = median(values) if values else median(published.values())
            yield Place(row, published, spread(values, DIGITS), value, _difference(page.definition, row, run))


def _difference(definition: Definition, row: str, run: ExerciseRun) -> str:
    """In which settings a row differs from a run, the first few; "its settings" if in none but the seed."""
    if row not in definition.table:
        return "what a search has found"
    settings, params = definition.table[row], run.params
    exercise = definition.exercise_of(settings)
    if exercise != run.exercise:
        return exercise
    configuration = configure(definition, settings, definition.seeds[0])
    usual = {key: value for key, value in configuration.settings().items() if key in params}  # recorded all the same
    wanted = {**usual, **configuration.parameters()}
    keys = [key for key in {**wanted, **params} if key != "seed_everything"]
    others = [key for key in keys if str(wanted.get(key)) != params.get(key, "None")]
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return f"other {', '.join(others[:_SHOWN])}{more}" if others else "its settings"


def placed(run: ExerciseRun, pages: Sequence[StudyPage]) -> str:
    """The places as tables for a terminal."""
    return "\n\n".join(_table(*key, lines) for key, lines in places(run, pages).items())


def _table(study: str, metric: str, lines: Sequence[Place]) -> str:
    sources = sorted({source for each in lines for source in each.published})
    cells = [["row", metric, *sources, ""]]
    for each in lines:
        numbers = [f"{each.published[source]:g}" if source in each.published else "" for source in sources]
        cells.append([each.name, each.measured, *numbers, f"← {each.mark}" if each.mark else ""])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    shown = ["  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([f"{study}:", *(f"  {line}" for line in shown)])
