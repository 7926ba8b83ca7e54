"""Going on with a run that was interrupted."""

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_anndl import exercises
from lit_anndl.configuration import CONDUCT, Configuration, option_value, parse, split_words
from lit_anndl.errors import InputError
from lit_anndl.tracking.leftovers import open_store
from lit_anndl.tracking.store import CONFIGURATION
from lit_anndl.trust import refuse_foreign, words_of
from lit_anndl.yaml_files import read_yaml

MAY_GROW = "trainer.max_epochs"
UNLESS = "model.anneal"
"""A learning rate that has fallen to zero by the last epoch has none for more."""
WHOLE = {
    **dict.fromkeys(("model", "data", "trainer", "checkpoint", "early_stopping"), dict),
    **dict.fromkeys(("seed_everything", "threads", "resume"), object),
}
"""What a record that was written to its end has, and of which type."""


def parse_command(exercise: str, words: Sequence[str]) -> Configuration:
    """The configuration that a command asks for: with `--resume RUN_ID` that run's own, else the exercise's preset.

    Raises:
        InputError: as `parse` does; or the run is unknown, of another exercise, running or complete, its record
            cannot be used, or a setting was changed that a resumed run must keep.
    """
    run_id = option_value(words, "resume")
    if run_id is None:
        return parse(exercise, words)
    files, options = split_words(words)
    own = words_of([word for option in options for word in option], [read_yaml(Path(file)) for file in files])
    run, record = recorded_run(exercise, run_id, own)
    recorded, configuration = parse(exercise, [], record), parse(exercise, words, record)
    refuse_changes(recorded, configuration)
    if run.info.status == "FINISHED" and configuration.settings() == recorded.settings():
        how = "" if recorded.settings().get(UNLESS) else f"; to train longer, give a larger --{MAY_GROW}"
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
    _, record = recorded_run(exercise, run_id, words_of(own, []))
    return parse(exercise, [f"--resume={run_id}"], record)


def recorded_run(exercise: str, run_id: str, own: Collection[str] = ()) -> tuple[Any, dict[str, Any]]:
    """A run of the store, and the configuration that it was begun with, checked to be one."""
    store = open_store()
    run = store.run(run_id)
    refuse_other(run.data.tags, exercise, run_id)
    whose = f"{CONFIGURATION} of run {run_id}"
    with tempfile.TemporaryDirectory() as folder:
        path = store.fetch(run, CONFIGURATION, folder)
        if path is None:
            raise InputError(f"run {run_id} holds no {CONFIGURATION} to go on from")
        record = read_yaml(path, f"{whose}:")
    if missing := [key for key in WHOLE if key not in record or not isinstance(record[key], WHOLE[key])]:
        raise InputError(f"{whose} is not whole: it lacks {', '.join(missing)}")
    preset = read_yaml(exercises.preset(exercise))
    refuse_foreign(record, preset, own, whose)
    for part in ("model", "data"):  # classes may have moved since; the exercise is known by its name
        record[part] = {**record[part], "class_path": preset[part]["class_path"]}
    return run, record


def refuse_other(tags: Mapping[str, str], exercise: str, run_id: str) -> None:
    """Refuses a run that is not one of the exercise."""
    if tags.get("exercise") != exercise:
        raise InputError(f"run {run_id} is a run of {tags.get('exercise', 'something else')}, not of {exercise}")


def grows(old: Any, new: Any) -> bool:
    """Whether a number of epochs grows; null and -1 stand for no limit."""
    unlimited = (None, -1)
    return old not in unlimited and (new in unlimited or new > old)


def refuse_changes(recorded: Configuration, asked: Configuration) -> None:
    """Raises InputError at the first setting that differs, unless it may."""
    before, now = recorded.settings(), asked.settings()
    may_grow = not before.get(UNLESS)
    for key in sorted(now.keys() | before.keys()):
        old: Any = before.get(key)
        new: Any = now.get(key)
        if old != new and key not in CONDUCT and not (key == MAY_GROW and may_grow and grows(old, new)):
            exception = f"only {MAY_GROW} may grow" if may_grow else f"with {UNLESS} not even {MAY_GROW} may grow"
            raise InputError(f"{key}: a resumed run keeps its {old}, {new} was given; {exception}")
