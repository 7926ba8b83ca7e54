"""Single runs of exercises, as the store has them."""

from dataclasses import dataclass

from lit_anndl.runtime.errors import InputError
from lit_anndl.tracking.store import TrackingStore


@dataclass(frozen=True)
class ExerciseRun:
    """What a run set and measured."""

    run_id: str
    exercise: str
    params: dict[str, str]
    metrics: dict[str, float]


def read_run(store: TrackingStore, run_id: str) -> ExerciseRun:
    """A run of an exercise.

    Raises:
        InputError: there is no such run, it is none of an exercise, or has not been finished; the store cannot be
            reached.
    """
    run = store.run(run_id)
    if "exercise" not in run.data.tags or run.info.status != "FINISHED":
        raise InputError(f"run {run_id} is no finished run of an exercise")
    return ExerciseRun(run_id, run.data.tags["exercise"], dict(run.data.params), dict(run.data.metrics))
