"""A study as it is kept: opened, begun, and what it says of itself."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import optuna
import yaml
from optuna import Study
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from lit_anndl.config import presets
from lit_anndl.runtime.errors import InputError, Unreachable
from lit_anndl.runtime.yaml_files import parse_yaml
from lit_anndl.studies.database import StudyDatabase, retry
from lit_anndl.studies.definition import DOCUMENTATION, EXECUTION, PRESENTATION, Definition
from lit_anndl.studies.queue import enqueue_planned
from lit_anndl.studies.settings_digest import refuse_other_settings, settings_digests
from lit_anndl.studies.space_file import read_space
from lit_anndl.studies.standing import current, found
from lit_anndl.studies.study_file import parse_definition
from lit_anndl.studies.validation import check_exercises
from lit_anndl.tracking.leftovers import open_store
from lit_anndl.tracking.study_run import StudyRun

_MAY_CHANGE = {"trials", "rows", "seeds", *EXECUTION, *PRESENTATION, *DOCUMENTATION}
"""What may differ when a study goes on: it may get longer (less counts for nothing), its table more rows, each trial
more seeds, and it may be carried out and shown in another way."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenStudy:
    """A study with its definition.

    Args:
        storage: where it is kept.
        study: Optuna's.
        definition: as it was begun, or last changed.
    """

    storage: StudyDatabase
    study: Study
    definition: Definition

    @cached_property
    def parent(self) -> StudyRun:
        """The parent of its runs, made if it is not there.

        Raises:
            InputError: the tracking store cannot be reached.
        """
        store, definition = open_store(), self.definition
        if run_id := self.study.user_attrs.get("mlflow_run"):
            try:
                store.run(run_id)
                return StudyRun(store, run_id)
            except Unreachable:
                raise
            except InputError:  # deleted, or the study goes on with another store
                pass
        parent = StudyRun.create(store, definition.exercise, definition.name, definition.text)
        self.study.set_user_attr("mlflow_run", parent.run_id)
        return parent

    def lay_out(self, figures: Sequence[str] = ()) -> None:
        """Prepares MLflow's view that compares the runs, and the figures that they are known to have."""
        definition = self.definition
        metrics = dict.fromkeys(name for each in definition.exercises for name in presets.model_class(each).metrics())
        tested = definition.stops_early and definition.metric.startswith("val/")
        self.parent.set_view(
            definition.name,
            f"best/{definition.metric}" if tested else definition.metric,  # of the weights that were tested
            ascending=definition.direction == "minimize",
            parameters=definition.varied,
            finals=[*(name for name in metrics if name.startswith("test/")), "seconds/fit"],
            figures=figures,
        )

    def trials(self) -> list[FrozenTrial]:
        """The trials, but for those that a copy stands for."""
        return current(self.study)

    def results(self) -> list[FrozenTrial]:
        """The trials with what they have found so far, also where more seeds are being added."""
        return found(self.study)

    def refreshed(self) -> "OpenStudy":
        """The study with its definition as another command may have changed it since."""
        latest = _kept_definition(self.study, self.storage)
        shown = {key: getattr(latest, key) for key in (*PRESENTATION, *DOCUMENTATION)}
        longer = {"rows": latest.rows, "seeds": latest.seeds, "trials": self.study.user_attrs["trials"]}
        fresh = OpenStudy(self.storage, self.study, replace(self.definition, **longer, **shown))
        fresh.__dict__.update({name: value for name, value in self.__dict__.items() if name == "parent"})
        return fresh

    def counts(self) -> dict[str, int]:
        """How many trials are in which state."""
        trials = self.trials()
        return {state.name: sum(trial.state is state for trial in trials) for state in TrialState}

    def best(self) -> FrozenTrial | None:
        """The best of the complete trials."""
        complete = [trial for trial in self.results() if trial.state is TrialState.COMPLETE]
        sign = 1 if self.definition.direction == "minimize" else -1
        return min(complete, key=lambda trial: sign * float(trial.value or 0.0), default=None)


def begin(definition: Definition, storage: StudyDatabase) -> OpenStudy:
    """Creates a study, or goes on with the one of that name.

    Raises:
        InputError: the one of that name is another study, or its presets have changed; the storage or the tracking
            store cannot be reached.
        RunFailure: the storage was reached, but has been away since.
    """
    quieten()
    connection = storage.connect()
    return retry(lambda: _begin_in(connection, definition, storage))


def _begin_in(connection: RDBStorage, definition: Definition, storage: StudyDatabase) -> OpenStudy:
    """What `begin` does once the storage is reached, which may be repeated."""
    with storage.locked(definition.name):
        study = optuna.create_study(
            study_name=definition.name, storage=connection, direction=definition.direction, load_if_exists=True
        )
        if "definition" in study.user_attrs:
            before = _kept_definition(study, storage)
            refuse_another(OpenStudy(storage, study, before), definition)
            definition = longer_of(replace(before, trials=study.user_attrs["trials"]), definition)
        opened = OpenStudy(storage, study, definition)
        opened.lay_out()
        study.set_user_attr("trials", definition.trials)
        study.set_user_attr("definition", definition.text)
        study.set_user_attr("settings", settings_digests(definition))
        enqueue_planned(study, definition)
    return opened


def load(name: str, storage: StudyDatabase, patience: float = 0.0) -> OpenStudy:
    """A study that has been begun.

    Args:
        name: the study's.
        storage: where it is kept.
        patience: so many seconds the storage may be away at first.

    Raises:
        InputError: there is none of that name; the storage cannot be reached.
        RunFailure: the storage was reached, but has been away since.
    """
    quieten()
    if storage.file and not storage.file.exists():
        raise InputError(f"there is no study {name}: {storage.shown} does not exist")
    connection = storage.connect(patience)
    return retry(lambda: _load_from(connection, name, storage))


def _load_from(connection: RDBStorage, name: str, storage: StudyDatabase) -> OpenStudy:
    """What `load` does once the storage is reached, which may be repeated."""
    names = optuna.get_all_study_names(connection)
    if name not in names:
        known = ", ".join(sorted(names)) or "none"
        raise InputError(f"there is no study {name} in {storage.shown}; it has {known}")
    study = optuna.load_study(study_name=name, storage=connection)
    if "definition" not in study.user_attrs:
        raise InputError(f"study {name} in {storage.shown} was not begun by this project")
    return OpenStudy(storage, study, _kept_definition(study, storage))


def _kept_definition(study: Study, storage: StudyDatabase) -> Definition:
    """The definition that a study was begun with, or last changed to.

    Raises:
        InputError: it is broken.
    """
    try:
        content = parse_yaml(str(study.user_attrs["definition"]))
        if not isinstance(content, dict):
            raise InputError(f"expected settings as `key: value`, found {type(content).__name__}")
        definition = parse_definition({**content, "name": study.study_name})
        check_exercises(definition)
        read_space(definition.space)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"study {study.study_name} in {storage.shown} has a broken definition: {reason}") from error
    return definition


def refuse_another(opened: OpenStudy, now: Definition) -> None:
    """Raises InputError where a definition is not of the study as it was begun, or its presets have changed."""
    refuse_changes(yaml.safe_load(opened.definition.text), yaml.safe_load(now.text), now.name)
    refuse_other_settings(opened.study.user_attrs.get("settings", {}), settings_digests(now), now.name)


def refuse_changes(before: Mapping[str, Any], now: Mapping[str, Any], name: str) -> None:
    """Raises InputError at the first thing that makes it another study."""
    changed = [key for key in now if before.get(key) != now[key] and key not in _MAY_CHANGE]
    changed += [f"rows.{row}" for row, settings in before["rows"].items() if now["rows"].get(row) != settings]
    if changed:
        raise InputError(
            f"study {name} was begun with another {changed[0]}; go on with the file as it was, or give it a new --name"
        )


def longer_of(before: Definition, now: Definition) -> Definition:
    """The study as it goes on: with all trials and seeds that it was ever given; fewer take nothing away.

    Raises:
        InputError: the seeds are others, not more.
    """
    if not (set(before.seeds) <= set(now.seeds) or set(now.seeds) <= set(before.seeds)):
        raise InputError(
            f"seeds: {now.seeds} was given, but study {now.name} has {before.seeds}; expected these and further ones"
        )
    fewer = {"trials": now.trials is not None and before.trials is not None and now.trials < before.trials}
    fewer["seeds"] = len(now.seeds) < len(before.seeds)
    for key in (key for key, less in fewer.items() if less):
        _log.warning("%s: %s was given; study %s keeps %s", key, getattr(now, key), now.name, getattr(before, key))
    trials = max((each for each in (before.trials, now.trials) if each is not None), default=None)
    return replace(now, trials=trials, seeds=list(dict.fromkeys([*before.seeds, *now.seeds])))


def quieten() -> None:
    """Leaves the terminal to the sweep's own lines."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
