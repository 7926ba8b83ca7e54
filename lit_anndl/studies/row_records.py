"""What the runs of a study's rows have left in the store: curves, pictures, tables; what is gone is left out."""

import logging
from collections.abc import Mapping, Sequence

from optuna.trial import FrozenTrial

from lit_anndl.config import presets
from lit_anndl.plots.gallery import Picture
from lit_anndl.runtime.errors import InputError, Unreachable
from lit_anndl.runtime.records import Table
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.rows import complete_rows
from lit_anndl.tracking.run_records import Record, figure_names, read_figure, read_record, read_table
from lit_anndl.tracking.store import TrackingStore

_log = logging.getLogger(__name__)

Records = Mapping[str, Sequence[Record]]
"""What each row's runs have left."""


def curve_metrics(definition: Definition) -> list[str]:
    """The metrics that any of the exercises measures at each epoch."""
    names = dict.fromkeys(name for each in definition.exercises for name in presets.model_class(each).metrics())
    return [name for name in names if name.startswith(("train/", "val/"))]


def read_records(definition: Definition, trials: list[FrozenTrial], store: TrackingStore) -> Records:
    """The records of all complete rows; a run that cannot be read is left out, with a warning."""
    records: dict[str, list[Record]] = {}
    for row, trial in complete_rows(definition, trials).items():
        for run_id in trial.user_attrs["runs"].values():
            try:
                record = read_record(store, run_id, curve_metrics(definition))
            except Unreachable:
                raise
            except InputError as error:
                _log.warning("row %s: its curves lack a run: %s", row, error)
            else:
                records.setdefault(row, []).append(record)
    return records


def read_pictures(
    definition: Definition, trials: list[FrozenTrial], store: TrackingStore
) -> dict[str, list[Picture | None]]:
    """For each row the wanted figures of its first seed's run."""
    pictures: dict[str, list[Picture | None]] = {}
    for row, trial in complete_rows(definition, trials).items():
        run_id = trial.user_attrs["runs"][str(definition.seeds[0])]
        found = [read_figure(store, run_id, name) for name in definition.gallery]
        for name in [name for name, picture in zip(definition.gallery, found, strict=True) if picture is None]:
            _log.warning("row %s has no figure %s, but %s", row, name, ", ".join(figure_names(store, run_id)) or "none")
        if any(picture is not None for picture in found):
            pictures[row] = found
    return pictures


def read_tables(
    definition: Definition, trials: list[FrozenTrial], store: TrackingStore, name: str
) -> dict[str, list[Table]]:
    """A table of all runs of each complete row; a run without it is left out, with a warning."""
    tables: dict[str, list[Table]] = {}
    first: Table | None = None
    for row, trial in complete_rows(definition, trials).items():
        for run_id in trial.user_attrs["runs"].values():
            table = read_table(store, run_id, name)
            if table and _is_drawable(table, first := first or table):
                tables.setdefault(row, []).append(table)
            else:
                _log.warning("row %s: run %s has no table %s of two or three columns of numbers", row, run_id, name)
    return tables


def _is_drawable(table: Table, like: Table) -> bool:
    """Whether a table has two or three columns of numbers, or more, and the first and the names as another has."""
    columns = list(table.values())[:3]
    numbers = all(isinstance(value, int | float) for column in columns for value in column)
    return len(columns) > 1 and numbers and list(table) == list(like) and columns[0] == next(iter(like.values()))
