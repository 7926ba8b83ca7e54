"""Rows as trials of Optuna's: their settings are parameters, which its dashboard shows and compares."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from lit_anndl.studies.definition import spelled
from lit_anndl.studies.space import Overrides


def row_trial(name: str, row: Overrides, distributions: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """A row that waits for a worker; a value that the distributions do not hold is no parameter."""
    params = {key: _parameter(value) for key, value in row.items()}
    params = {key: value for key, value in params.items() if _holds(distributions[key], value)}
    return create_trial(
        state=TrialState.WAITING,
        params=params,
        distributions={key: distributions[key] for key in params},
        user_attrs={"row": name, "overrides": row},
        system_attrs={"fixed_params": params},
    )


def row_distributions(table: Mapping[str, Overrides], trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
    """What each setting may be: numbers, or one of the rows' values.

    Optuna keeps the choices that a study began with: a text that only a row added later has is none of them.
    """
    values: dict[str, list[Any]] = {}
    for row in table.values():
        for key, value in row.items():
            values.setdefault(key, []).append(_parameter(value))
    begun = {key: kept for trial in trials for key, kept in trial.distributions.items()}
    return {key: _distribution(each, begun.get(key)) for key, each in values.items()}


def _distribution(values: Sequence[Any], begun: BaseDistribution | None) -> BaseDistribution:
    if isinstance(begun, CategoricalDistribution):
        return begun
    numbers = [value for value in values if _is_number(value)]
    whole = [value for value in numbers if isinstance(value, int)]
    if isinstance(begun, IntDistribution) or (begun is None and len(whole) == len(values)):
        return IntDistribution(min(whole, default=0), max(whole, default=0))
    if begun is not None or len(numbers) == len(values):
        return FloatDistribution(float(min(numbers, default=0)), float(max(numbers, default=0)))
    return CategoricalDistribution(list(dict.fromkeys(values)))


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    return _is_number(value) and (isinstance(value, int) or not isinstance(distribution, IntDistribution))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parameter(value: Any) -> Any:
    """A setting as Optuna's choices may be: lists and the like as they are typed."""
    return value if value is None or isinstance(value, bool | int | float | str) else spelled(value)
