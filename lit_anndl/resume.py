"""Going on with a run that was interrupted."""

from collections.abc import Sequence
from typing import Any

import yaml

from lit_anndl.configuration import Configuration, option_value, parse
from lit_anndl.errors import InputError
from lit_anndl.tracking.store import Store

MAY_GROW = "trainer.max_epochs"
UNLESS = "model.anneal"
"""A learning rate that has fallen to zero by the last epoch has none for more."""
MAY_DIFFER = {"resume", "trainer.enable_progress_bar"}


def parse_command(exercise: str, words: Sequence[str]) -> Configuration:
    """The configuration that a command asks for: with `--resume RUN_ID` that run's own, else the exercise's preset.

    Raises:
        InputError: as `parse` does; or the run is unknown, of another exercise, running or complete, or a setting
            was changed that a resumed run must keep.
    """
    run_id = option_value(words, "resume")
    if run_id is None:
        return parse(exercise, words)
    run, recorded = recorded_run(exercise, run_id)
    configuration = parse(exercise, words, yaml.safe_load(recorded.yaml))
    refuse_changes(recorded, configuration)
    if run.info.status == "FINISHED" and configuration.parameters() == recorded.parameters():
        how = "" if recorded.parameters().get(UNLESS) else f"; to train longer, give a larger --{MAY_GROW}"
        raise InputError(f"run {run_id} is finished{how}")
    return configuration


def continuation(exercise: str, run_id: str) -> Configuration:
    """The configuration that goes on with a run as it was; one that is complete is only tested again.

    Raises:
        InputError: the run is unknown, or of another exercise.
    """
    _, recorded = recorded_run(exercise, run_id)
    return parse(exercise, [f"--resume={run_id}"], yaml.safe_load(recorded.yaml))


def recorded_run(exercise: str, run_id: str) -> tuple[Any, Configuration]:
    """A run of the store, and the configuration that it was begun with."""
    store = Store()
    run = store.run(run_id)
    text = store.configuration(run)
    return run, parse(exercise_of(run.data.tags, exercise, run_id), [], yaml.safe_load(text))


def exercise_of(tags: dict[str, str], exercise: str, run_id: str) -> str:
    """The exercise, if the tagged run is one of it."""
    if tags.get("exercise") != exercise:
        raise InputError(f"run {run_id} is a run of {tags.get('exercise', 'something else')}, not of {exercise}")
    return exercise


def grows(old: Any, new: Any) -> bool:
    """Whether a number of epochs grows; null and -1 stand for no limit."""
    unlimited = (None, -1)
    return old not in unlimited and (new in unlimited or new > old)


def refuse_changes(recorded: Configuration, asked: Configuration) -> None:
    """Raises InputError at the first setting that differs, unless it may."""
    before, now = recorded.parameters(), asked.parameters()
    may_grow = not before.get(UNLESS)
    for key in sorted(now.keys() | before.keys()):
        old: Any = before.get(key)
        new: Any = now.get(key)
        if old != new and key not in MAY_DIFFER and not (key == MAY_GROW and may_grow and grows(old, new)):
            exception = f"only {MAY_GROW} may grow" if may_grow else f"with {UNLESS} not even {MAY_GROW} may grow"
            raise InputError(f"{key}: a resumed run keeps its {old}, {new} was given; {exception}")
