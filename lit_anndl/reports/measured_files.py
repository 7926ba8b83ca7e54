"""Measurements as CSV files beside the studies, a line per row and seed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from lit_anndl.config.explain import suggestion
from lit_anndl.reports.measurements import Measurement, without_stale
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.files import write_atomically
from lit_anndl.studies.definition import Definition

_IDENTITY = ("row", "seed", "settings")
_ABOUT = ("seconds", "commit", "date", "processor", "versions")
_OF_SEARCHES = ("chosen",)
"""Columns that the files of tables of rows do not have."""
_TEXTS = ("row", "settings", "commit", "date", "processor", "versions", *_OF_SEARCHES)
_NOTHING = {"seconds": [""]}
"""A row may be called NA."""
_FLOATS = "%.7g"


def write_measurements(path: Path, measurements: Sequence[Measurement]) -> None:
    """Keeps measurements in a CSV file, a column per metric."""
    names = sorted({name for each in measurements for name in each.metrics})
    lines = [
        {
            "row": each.row,
            "seed": each.seed,
            "settings": each.settings,
            **{name: each.metrics.get(name) for name in names},
            **{name: getattr(each, name) for name in _ABOUT},
            **{name: getattr(each, name) for name in _OF_SEARCHES if getattr(each, name)},
        }
        for each in measurements
    ]
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, pd.DataFrame(lines).to_csv(index=False, float_format=_FLOATS).encode())


def read_measurements(path: Path, definition: Definition) -> list[Measurement]:
    """The measurements of a study; none where there is no file.

    What was measured with other settings than the study has by now is left out, with a warning.

    Raises:
        InputError: the file does not fit the study.
    """
    found = parse_measurements(path)
    _check(path, found, definition)
    return without_stale(found, definition, path)


def parse_measurements(path: Path) -> list[Measurement]:
    """What a CSV file holds, whatever study it is of; nothing where there is no file.

    Raises:
        InputError: it is no such file.
    """
    if not path.exists():
        return []
    try:
        frame = pd.read_csv(path, dtype=dict.fromkeys(_TEXTS, str), keep_default_na=False, na_values=_NOTHING)
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error
    if lacking := [name for name in (*_IDENTITY, *_ABOUT) if name not in frame]:
        raise InputError(f"{path}: there is no column {lacking[0]}")
    names = [name for name in frame.columns if name not in (*_IDENTITY, *_ABOUT, *_OF_SEARCHES)]
    try:
        return list(_lines(frame, names))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error


def _lines(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[Measurement]:
    """The measurements of a table."""
    for line in frame.to_dict("records"):
        metrics = {name: float(line[name]) for name in names if line[name] != "" and not pd.isna(line[name])}
        about = {name: str(line[name]) for name in ("settings", *_ABOUT) if name != "seconds"}
        about |= {name: str(line[name]) for name in _OF_SEARCHES if name in line}
        row, seed = str(line["row"]), int(line["seed"])
        yield Measurement(row=row, seed=seed, metrics=metrics, seconds=float(line["seconds"]), **about)


def _check(path: Path, found: Sequence[Measurement], definition: Definition) -> None:
    """Refuses measurements of rows that the study has not, and such as stand there twice."""
    rows = definition.row_names
    seen = set()
    for each in found:
        if each.row not in rows:
            raise InputError(
                f"{path}: there is no row {each.row} in study {definition.name}{suggestion(each.row, rows)}"
            )
        if (key := (each.row, each.seed)) in seen:
            raise InputError(f"{path}: row {each.row} with seed {each.seed} stands there twice")
        seen.add(key)
