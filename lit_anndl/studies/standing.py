"""How a study stands: which of its trials count, what they have found, and which seeds they lack."""

from collections.abc import Sequence

from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from lit_anndl.studies.definition import Definition


def current(study: Study) -> list[FrozenTrial]:
    """The trials but for those that another stands for."""
    trials = study.get_trials(deepcopy=False)
    others = replaced(trials)
    return [trial for trial in trials if trial.number not in others]


def found(study: Study) -> list[FrozenTrial]:
    """The current trials; for one that is not complete, the latest complete one that it is a copy of, if there is one.

    A trial that gets more seeds has all that was found before in the meantime, and if these fail.
    """
    trials = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
    results = []
    for trial in current(study):
        line = [trials[number] for number in [*retry_history(trial), trial.number] if number in trials]
        complete = [each for each in line if each.state is TrialState.COMPLETE]
        results.append(complete[-1] if complete else trial)
    return results


def replaced(trials: Sequence[FrozenTrial]) -> set[int]:
    """The numbers of the trials that another stands for, a copy or, for one that was surplus, the first."""
    copied = {number for trial in trials for number in retry_history(trial)}
    return copied | {trial.number for trial in trials if "surplus" in trial.user_attrs}


def retry_history(trial: FrozenTrial) -> list[int]:
    """The trials that one is a copy of, the first one first; Optuna's own reading warns at each call."""
    return list(trial.system_attrs.get("retry_history", []))


def done_seeds(trial: FrozenTrial) -> set[str]:
    """The seeds that a trial has been run with to the end."""
    return set(trial.user_attrs.get("metrics", {}))


def lacks_seeds(trial: FrozenTrial, definition: Definition) -> bool:
    """Whether a complete trial was run with fewer seeds than the study has by now."""
    return trial.state is TrialState.COMPLETE and not set(map(str, definition.seeds)) <= done_seeds(trial)
