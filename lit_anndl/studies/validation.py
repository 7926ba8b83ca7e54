"""What is wrong with a study, before anything of it runs."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from lit_anndl.config import presets
from lit_anndl.config.configuration import Configuration
from lit_anndl.config.explain import suggestion
from lit_anndl.runs.compose import check_data
from lit_anndl.runtime.errors import InputError
from lit_anndl.studies.claims_file import read_claims
from lit_anndl.studies.definition import EXERCISE, PRESENTATION, Definition
from lit_anndl.studies.samplers import make_pruner, make_sampler
from lit_anndl.studies.space import Overrides, examples
from lit_anndl.studies.trial import configure, trains_side_by_side

_NAMES = re.compile(r"[\w.+-][\w.+ -]*")
"""Names of studies become names of files and tags."""

_RESERVED = {
    "seed_everything": "the seeds of a study are given as seeds: [0, 1, …]",
    "resume": "a study resumes its runs itself",
    "trainer.logger": "the runs of a study are always recorded",
    "trainer.devices": "a trial runs on one device; give workers instead",
    "trainer.num_nodes": "a trial runs on one device; give workers instead",
    "trainer.fast_dev_run": "the runs of a study are whole ones",
}
"""What a study sets itself."""

_MOST_SEED = 2**31
"""Samplers take twice as much, but count on from there."""

_SEEDS = 2**32
"""There are so many."""

_LISTED = 12
"""Names of metrics that a message has at most."""
_MEASURED_OF_ALL = ("parameters", "best/epoch", "bytes/optimizer", "seconds/fit", "seconds/epoch", "seconds/first_step")
"""What every run measures, beside the metrics and summaries of its exercise."""


def validate(definition: Definition) -> None:
    """Refuses a study that could not be carried out; fetches its data if need be, once for all workers.

    Raises:
        InputError: says what was given and what was expected.
    """
    configuration = check_settings(definition)
    if definition.metric.startswith("val/") and not check_data(configuration):
        keys = configuration.keys_under("data.validation")
        raise InputError(f"metric: {definition.metric} needs validation data: hold some out with {' or '.join(keys)}")


def check_settings(definition: Definition) -> Configuration:
    """Refuses what can be told without data; returns the configuration of one of the runs."""
    check_documentation(definition)
    _check_plan(definition)
    make_sampler(definition, 0)
    for key in sorted(
        {*definition.fixed, *definition.space, *(key for row in definition.table.values() for key in row)}
    ):
        if key in _RESERVED:
            raise InputError(f"{key}: {_RESERVED[key]}")
    if EXERCISE in {*definition.fixed, *definition.space}:
        raise InputError("exercise: expected it of the study, or of single rows")
    make_pruner(definition)
    configurations = [configure(definition, settings, definition.seeds[0]) for settings in tried(definition)]
    if definition.space and not definition.metric.startswith(("train/", "val/")):
        raise InputError(f"metric: {definition.metric} was given, but the test set chooses nothing: search by val/…")
    if definition.together > 1 and not any(map(trains_side_by_side, configurations)):
        exercises = ", ".join(definition.exercises)
        raise InputError(
            f"together: {definition.together} was given, but no trial of {exercises} can be trained beside others; "
            "expected 1"
        )
    for cost in definition.costs:
        _check_metric("costs", cost, _measured_by_any(definition))
    _check_presentation(definition)
    return configurations[0]


def _check_metric(key: str, name: str, known: Sequence[str]) -> None:
    """Refuses a metric that there is none of."""
    if name not in known:
        near = get_close_matches(name, known, n=1)
        more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known[:_LISTED])}{more}"
        raise InputError(f"{key}: there is no {name}; {hint}")


def _check_metric_of_all(key: str, name: str, definition: Definition, kind: Callable[[str], Sequence[str]]) -> None:
    """Refuses a metric that an exercise has none of."""
    for exercise in definition.exercises:
        _check_metric(key if len(definition.exercises) == 1 else f"{key}: exercise {exercise}", name, kind(exercise))


def measured_metrics(exercise: str) -> tuple[str, ...]:
    """What runs of an exercise measure."""
    model = presets.model_class(exercise)
    return (*model.metrics(), *model.summaries(), *_MEASURED_OF_ALL)


def _measured_by_any(definition: Definition) -> list[str]:
    """What runs of any of a study's exercises measure."""
    return list(dict.fromkeys(name for exercise in definition.exercises for name in measured_metrics(exercise)))


def _curves(exercise: str) -> list[str]:
    """What an exercise measures at each epoch."""
    return [name for name in presets.model_class(exercise).metrics() if not name.startswith("test/")]


def _check_presentation(definition: Definition) -> None:
    """Refuses figures and tables that could not be made from the rows' learning curves."""
    for key in sorted(PRESENTATION):
        if getattr(definition, key) and not definition.rows:
            raise InputError(f"{key}: it shows rows side by side, but the study has none")
    for row, settings in definition.table.items():
        if missing := [key for key in definition.facet if key not in {**definition.fixed, **settings}]:
            raise InputError(f"facet: {missing[0]} is not set in row {row}; expected a setting of every row")
    for metric, thresholds in definition.thresholds.items():
        _check_metric_of_all("thresholds", metric, definition, _curves)
        if not thresholds:
            raise InputError(f"thresholds: {metric}: [] was given, expected one value or more")


def check_documentation(definition: Definition) -> None:
    """Refuses no seeds, and an exercise, metrics, and published numbers of rows, metrics or sources that are not there.

    Raises:
        InputError: says what was given and what was expected.
    """
    check_exercises(definition)
    seeds = definition.seeds
    if not seeds or len(set(seeds)) < len(seeds) or max(seeds) >= _SEEDS:
        raise InputError(f"seeds: {seeds} was given, expected different whole numbers below {_SEEDS}")
    _check_metric_of_all("metric", definition.metric, definition, measured_metrics)
    for metric in definition.shown:
        _check_metric("shown", metric, _measured_by_any(definition))
    for key in ("published", "slips", "remarks", "headline"):
        for row in getattr(definition, key):
            if row not in definition.row_names:
                raise InputError(f"{key}: there is no row {row}{suggestion(row, definition.row_names)}")
    metrics = {
        row: measured_metrics(definition.exercise_of(definition.table.get(row, {}))) for row in definition.row_names
    }
    for row, by_metric in definition.published.items():
        for metric, by_source in by_metric.items():
            _check_metric(f"published: {row}", metric, metrics[row])
            _check_sources(f"published: {row}: {metric}", by_source, definition.sources)
    for row, metric in definition.headline.items():
        _check_metric(f"headline: {row}", metric, metrics[row])
    for row, slips in definition.slips.items():
        for metric, wrong in slips.items():
            given = definition.published.get(row, {}).get(metric, {})
            if unpublished := sorted(set(wrong) - set(given)):
                raise InputError(f"slips: {row}: {metric}: {unpublished[0]} has published no such number")
    _check_claims(definition)


def _check_claims(definition: Definition) -> None:
    """Refuses columns of rows that there are none of, and claims about what is not measured."""
    for column, rows in definition.columns.items():
        for row in rows:
            if row not in definition.rows:
                raise InputError(f"columns: {column}: there is no row {row}{suggestion(row, list(definition.rows))}")
    known = _measured_by_any(definition)
    for claim in read_claims(definition.claims, definition.claim_columns, definition.sources):
        for metric in claim.metrics:
            _check_metric(f"claims: {claim.name}", metric, known)


def _check_sources(where: str, named: Iterable[str], sources: Mapping[str, str]) -> None:
    """Refuses sources that are not listed."""
    if unknown := sorted(set(named) - set(sources)):
        raise InputError(f"{where}: {unknown[0]} is none of the sources ({', '.join(sources) or 'there are none'})")


def check_exercises(definition: Definition) -> None:
    """Refuses exercises, the study's or a row's own, that there are none of."""
    _check_exercise("exercise", definition.exercise)
    for row, settings in definition.table.items():
        _check_exercise(f"rows: {row}: exercise", definition.exercise_of(settings))


def _check_exercise(key: str, name: str) -> None:
    names = presets.names()
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise InputError(f"{key}: there is no {name}; {hint}")


def _check_plan(definition: Definition) -> None:
    """Refuses what contradicts itself."""
    if bool(definition.space) == bool(definition.rows):
        found = "both" if definition.space else "none"
        raise InputError(f"expected a space to search or rows to run, found {found}")
    if not _NAMES.fullmatch(definition.name):
        raise InputError(f"name: {definition.name!r} was given, expected letters, digits, spaces and . _ + -")
    if definition.rows and definition.pruner != "none":
        raise InputError("pruner: rows are all run to their end; leave it out")
    if definition.rows and any(not isinstance(row, dict) for row in definition.rows.values()):
        raise InputError("rows: expected settings by name, such as {slow: {model.optimizer.lr: 0.001}}")
    if "" in definition.rows:
        raise InputError("rows: '' was given, expected names")
    if definition.sampler_seed >= _MOST_SEED:
        raise InputError(f"sampler_seed: {definition.sampler_seed} was given, expected less than {_MOST_SEED}")
    if definition.budget is None and definition.timeout is None:
        raise InputError("expected a number of trials, or a timeout in seconds")
    if both := set(definition.fixed) & set(definition.space):
        raise InputError(f"{sorted(both)[0]} stands in the overrides and in the space")


def tried(definition: Definition) -> Iterator[Overrides]:
    """The settings that a study is validated by: every row, or each choice and bound of its space."""
    yield from definition.table.values() if definition.rows else examples(definition.domains)
