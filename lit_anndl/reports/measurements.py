"""What was measured, a line per row and seed: read from the store, kept as CSV files beside the studies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lit_anndl.config.explain import suggestion
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.files import write_atomically
from lit_anndl.studies.definition import Definition

BEST = "best"
"""The row of a search: its best trial."""
_ABOUT = ("seconds", "commit", "date", "processor", "versions")
_FLOATS = "%.7g"


@dataclass(frozen=True)
class Measurement:
    """One run of a row.

    Args:
        row: the row's name in the study, or `best`.
        seed: the run's.
        metrics: what it measured at its end, by name.
        seconds: of the fit.
        commit: of this project, of which the run was one.
        date: when it began, as 2026-01-31.
        processor: what it ran on.
        versions: of Python and torch.
    """

    row: str
    seed: int
    metrics: dict[str, float]
    seconds: float
    commit: str
    date: str
    processor: str
    versions: str


def write_measurements(path: Path, measurements: Sequence[Measurement]) -> None:
    """Keeps measurements in a CSV file, a column per metric."""
    names = sorted({name for each in measurements for name in each.metrics})
    lines = [
        {
            "row": each.row,
            "seed": each.seed,
            **{name: each.metrics.get(name) for name in names},
            **{name: getattr(each, name) for name in _ABOUT},
        }
        for each in measurements
    ]
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, pd.DataFrame(lines).to_csv(index=False, float_format=_FLOATS).encode())


def read_measurements(path: Path, definition: Definition) -> list[Measurement]:
    """The measurements of a study; none where there is no file.

    Raises:
        InputError: the file does not fit the study.
    """
    if not path.exists():
        return []
    try:
        frame = pd.read_csv(path, dtype={"row": str, "commit": str, "date": str, "processor": str, "versions": str})
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error
    if lacking := [name for name in ("row", "seed", *_ABOUT) if name not in frame]:
        raise InputError(f"{path}: there is no column {lacking[0]}")
    names = [name for name in frame.columns if name not in ("row", "seed", *_ABOUT)]
    try:
        found = list(_lines(frame, names))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error
    _check(path, found, definition)
    return found


def _lines(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[Measurement]:
    """The measurements of a table."""
    for line in frame.to_dict("records"):
        metrics = {name: float(line[name]) for name in names if not pd.isna(line[name])}
        about = {name: str(line[name]) for name in _ABOUT if name != "seconds"}
        yield Measurement(str(line["row"]), int(line["seed"]), metrics, float(line["seconds"]), **about)


def _check(path: Path, found: Sequence[Measurement], definition: Definition) -> None:
    """Refuses measurements of rows that the study has not, and such as stand there twice."""
    rows = list(definition.rows) or [BEST]
    seen = set()
    for each in found:
        if each.row not in rows:
            raise InputError(
                f"{path}: there is no row {each.row} in study {definition.name}{suggestion(each.row, rows)}"
            )
        if (key := (each.row, each.seed)) in seen:
            raise InputError(f"{path}: row {each.row} with seed {each.seed} stands there twice")
        seen.add(key)
