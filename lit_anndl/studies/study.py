"""A study as it is kept: opened, begun, and what it says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import optuna
import yaml
from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from lit_anndl.configuration import parse
from lit_anndl.errors import InputError, Unreachable
from lit_anndl.studies.definition import PRESENTATION, Definition, parse_definition
from lit_anndl.studies.queue import current, enqueue_planned
from lit_anndl.studies.storage import Storage
from lit_anndl.tracking.leftovers import open_store
from lit_anndl.tracking.parent import Parent

MAY_CHANGE = {"trials", "rows", *PRESENTATION}
"""What may differ when a study goes on: it may get longer (less counts for nothing), its table more rows, and it may
be shown in another way."""


@dataclass(frozen=True)
class OpenStudy:
    """A study with its definition.

    Args:
        storage: where it is kept.
        study: Optuna's.
        definition: as it was begun, or last changed.
    """

    storage: Storage
    study: Study
    definition: Definition

    @cached_property
    def parent(self) -> Parent:
        """The parent of its runs, made if it is not there.

        Raises:
            InputError: the tracking store cannot be reached.
        """
        store, definition = open_store(), self.definition
        if run_id := self.study.user_attrs.get("mlflow_run"):
            try:
                store.run(run_id)
                return Parent(store, run_id)
            except Unreachable:
                raise
            except InputError:  # deleted, or the study goes on with another store
                pass
        parent = Parent.create(store, definition.exercise, definition.name, definition.text)
        self.study.set_user_attr("mlflow_run", parent.run_id)
        return parent

    def lay_out(self, figures: Sequence[str] = ()) -> None:
        """Prepares MLflow's view that compares the runs, and the figures that they are known to have."""
        definition = self.definition
        metrics = parse(definition.exercise, []).model_class.metrics()
        self.parent.set_view(
            definition.name,
            definition.metric,
            ascending=definition.direction == "minimize",
            parameters=definition.varied,
            finals=[*(name for name in metrics if name.startswith("test/")), "seconds/fit"],
            figures=figures,
        )

    def trials(self) -> list[FrozenTrial]:
        """The trials, but for those that a copy stands for."""
        return current(self.study)

    def refreshed(self) -> "OpenStudy":
        """The study with its definition as another command may have changed it since."""
        content = yaml.safe_load(self.study.user_attrs["definition"])
        shown = {key: content[key] for key in PRESENTATION}
        definition = replace(self.definition, rows=content["rows"], trials=self.study.user_attrs["trials"], **shown)
        return OpenStudy(self.storage, self.study, definition)

    def counts(self) -> dict[str, int]:
        """How many trials are in which state."""
        trials = self.trials()
        return {state.name: sum(trial.state is state for trial in trials) for state in TrialState}

    def best(self) -> FrozenTrial | None:
        """The best of the complete trials."""
        complete = [trial for trial in self.trials() if trial.state is TrialState.COMPLETE]
        sign = 1 if self.definition.direction == "minimize" else -1
        return min(complete, key=lambda trial: sign * (trial.value or 0.0), default=None)


def begin(definition: Definition, storage: Storage) -> OpenStudy:
    """Creates a study, or goes on with the one of that name.

    Raises:
        InputError: the one of that name is another study; the storage or the tracking store cannot be reached.
    """
    quieten()
    connection = storage.connect()
    with storage.locked(definition.name):
        study = optuna.create_study(
            study_name=definition.name, storage=connection, direction=definition.direction, load_if_exists=True
        )
        if before := study.user_attrs.get("definition"):
            refuse_changes(yaml.safe_load(before), yaml.safe_load(definition.text), definition.name)
        trials = [each for each in (study.user_attrs.get("trials"), definition.trials) if each is not None]
        definition = replace(definition, trials=max(trials, default=None))
        opened = OpenStudy(storage, study, definition)
        opened.lay_out()
        study.set_user_attr("trials", definition.trials)
        study.set_user_attr("definition", definition.text)
        enqueue_planned(study, definition)
    return opened


def load(name: str, storage: Storage) -> OpenStudy:
    """A study that has been begun.

    Raises:
        InputError: there is none of that name.
    """
    quieten()
    if storage.file and not storage.file.exists():
        raise InputError(f"there is no study {name}: {storage.shown} does not exist")
    connection = storage.connect()
    names = optuna.get_all_study_names(connection)
    if name not in names:
        known = ", ".join(sorted(names)) or "none"
        raise InputError(f"there is no study {name} in {storage.shown}; it has {known}")
    study = optuna.load_study(study_name=name, storage=connection)
    if "definition" not in study.user_attrs:
        raise InputError(f"study {name} in {storage.shown} was not begun by this project")
    return OpenStudy(storage, study, parse_definition(yaml.safe_load(study.user_attrs["definition"])))


def refuse_changes(before: Mapping[str, Any], now: Mapping[str, Any], name: str) -> None:
    """Raises InputError at the first thing that makes it another study."""
    changed = [key for key in now if before.get(key) != now[key] and key not in MAY_CHANGE]
    changed += [f"rows.{row}" for row, settings in before["rows"].items() if now["rows"].get(row) != settings]
    if changed:
        raise InputError(
            f"study {name} was begun with another {changed[0]}; go on with the file as it was, or give it a new --name"
        )


def quieten() -> None:
    """Leaves the terminal to the sweep's own lines."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
