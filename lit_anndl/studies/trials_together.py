"""Trials that learn together, each told of as soon as it has ended."""

from collections.abc import Callable, Sequence
from functools import partial

from lit_anndl.runs.crew import MakeCompanion, Task, run_together
from lit_anndl.runtime.errors import Stopped
from lit_anndl.studies.trial import TrialRuns
from lit_anndl.studies.trial_reporter import Pruned, TrialTakenOver

ENDINGS = (Exception, Pruned, TrialTakenOver)
"""What a trial may end with beside a value; a signal ends the worker."""
Outcome = float | BaseException
"""A trial's value, or what it has ended with."""
Conclude = Callable[[TrialRuns, Outcome], None]


def run_trials_together(trials: Sequence[TrialRuns], conclude: Conclude) -> None:
    """Runs trials that learn beside others.

    Args:
        trials: those.
        conclude: is told of each as it ends.

    Raises:
        Interruption: a signal, when all have ended.
        Exception: whatever `conclude` raises.
    """
    for outcome in run_together([task for runs in trials for task in _concluding(runs, conclude)]):
        if isinstance(outcome, BaseException):
            raise outcome


def run_alone(runs: TrialRuns, conclude: Conclude) -> None:
    """Runs a trial with nothing beside it.

    Raises:
        Interruption: a signal.
        Exception: whatever `conclude` raises.
    """
    conclude(runs, _outcome(runs.run_in_turn))


def _concluding(runs: TrialRuns, conclude: Conclude) -> list[Task]:
    """A trial's tasks, the last of which to end says how the trial has ended."""
    tasks = runs.tasks
    errors: list[BaseException] = []
    if not tasks:
        conclude(runs, _outcome(runs.value))
    left = len(tasks)

    def follow(task: Task, make_companion: MakeCompanion) -> None:
        nonlocal left
        try:
            task(make_companion)
        except ENDINGS as error:
            errors.append(error)
        left -= 1
        if not left:
            conclude(runs, _foremost(errors) or _outcome(runs.value))

    return [partial(follow, task) for task in tasks]


def _outcome(action: Callable[[], float]) -> Outcome:
    try:
        return action()
    except ENDINGS as error:
        return error


def _foremost(errors: Sequence[BaseException]) -> BaseException | None:
    """What several runs have ended with in one: first of all that it was stopped."""
    return min(errors, key=lambda each: not isinstance(each, Stopped), default=None)
