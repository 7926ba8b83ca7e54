"""Going on with a run that was interrupted."""

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_anndl.config import presets
from lit_anndl.config.command_line import CALLBACKS
from lit_anndl.config.configuration import CONDUCT, Configuration, parse
from lit_anndl.config.merge import merge
from lit_anndl.config.options import option_value, split_argv
from lit_anndl.config.trust import refuse_foreign, words_of
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.yaml_files import read_yaml
from lit_anndl.tracking.artifacts import CONFIGURATION, fetch
from lit_anndl.tracking.leftovers import open_store
from lit_anndl.tracking.store import TrackingStore

_MAY_GROW = "trainer.max_epochs"
_WHOLE = {
    **dict.fromkeys(("model", "data", "trainer", *CALLBACKS), dict),
    **dict.fromkeys(("seed_everything", "threads", "resume"), object),
}
"""What a record that was written to its end has, and of which type."""


def parse_command(exercise: str, argv: Sequence[str]) -> Configuration:
    """The configuration that a command asks for: with `--resume RUN_ID` that run's own, else the exercise's preset.

    Raises:
        InputError: as `parse` does; or the run is unknown, of another exercise, running or complete, its record
            cannot be used, or a setting was changed that a resumed run must keep.
    """
    run_id = option_value(argv, "resume")
    if run_id is None:
        return parse(exercise, argv)
    files, options = split_argv(argv)
    own = words_of([word for option in options for word in option], [read_yaml(Path(file)) for file in files])
    run, record = recorded_run(open_store(), exercise, run_id, own)
    recorded, configuration = parse(exercise, [], record), parse(exercise, argv, record)
    refuse_changes(recorded, configuration)
    if run.info.status == "FINISHED" and configuration.settings() == recorded.settings():
        how = f"; to train longer, give a larger --{_MAY_GROW}" if _tied_to(recorded) is None else ""
        raise InputError(f"run {run_id} is finished{how}")
    return configuration


def continuation(exercise: str, run_id: str, own: Sequence[str] = ()) -> Configuration:
    """The configuration that goes on with a run as it was; one that is complete is only tested again.

    Args:
        exercise: its exercise.
        run_id: which.
        own: options that the run was begun with by the user's own file; what they name is trusted.

    Raises:
        InputError: the run is unknown, or of another exercise; its record cannot be used.
    """
    _, record = recorded_run(open_store(), exercise, run_id, words_of(own, []))
    return parse(exercise, [f"--resume={run_id}"], record)


def recorded_run(
    store: TrackingStore, exercise: str, run_id: str, own: Collection[str] = ()
) -> tuple[Any, dict[str, Any]]:
    """A run of the store, and the configuration that it was begun with, checked to be one."""
    run = store.run(run_id)
    _refuse_other(run.data.tags, exercise, run_id)
    whose = f"{CONFIGURATION} of run {run_id}"
    with tempfile.TemporaryDirectory() as folder:
        path = fetch(store, run, CONFIGURATION, folder)
        if path is None:
            raise InputError(f"run {run_id} holds no {CONFIGURATION} to go on from")
        record = read_yaml(path, f"{whose}:")
    if missing := [key for key in _WHOLE if key not in record or not isinstance(record[key], _WHOLE[key])]:
        raise InputError(f"{whose} is not whole: it lacks {', '.join(missing)}")
    preset = read_yaml(presets.preset(exercise))
    refuse_foreign(record, preset, own, whose)
    for part in ("model", "data"):
        if record[part].get("class_path") != preset[part]["class_path"]:  # it has moved, or is another's preset now
            record[part] = merge(preset[part], {**record[part], "class_path": preset[part]["class_path"]})
    return run, record


def _refuse_other(tags: Mapping[str, str], exercise: str, run_id: str) -> None:
    """Refuses a run that is not one of the exercise."""
    if tags.get("exercise") != exercise:
        raise InputError(f"run {run_id} is a run of {tags.get('exercise', 'something else')}, not of {exercise}")


def _tied_to(recorded: Configuration) -> str | None:
    """The setting that keeps the number of epochs from growing, if any does."""
    return recorded.model_class.tied_to_epochs(recorded.model_arguments)


def _grows(old: int | None, new: int | None) -> bool:
    """Whether a number of epochs grows; None and -1 stand for no limit."""
    unlimited = (None, -1)
    return old not in unlimited and (new in unlimited or new > old)


def refuse_changes(recorded: Configuration, asked: Configuration) -> None:
    """Raises InputError at the first setting that differs, unless it may."""
    before, now = recorded.settings(), asked.settings()
    tie = _tied_to(recorded)
    for key in sorted(now.keys() | before.keys()):
        old: Any = before.get(key)
        new: Any = now.get(key)
        grows = key == _MAY_GROW and tie is None and _grows(recorded.epochs, asked.epochs)
        if old != new and key not in CONDUCT and not grows:
            exception = f"with {tie} not even {_MAY_GROW} may grow" if tie else f"only {_MAY_GROW} may grow"
            raise InputError(f"{key}: a resumed run keeps its {old}, {new} was given; {exception}")
