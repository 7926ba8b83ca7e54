"""Search spaces: what each setting may be, and the settings that a trial takes from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from optuna import Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lit_anndl.runtime.errors import InputError

Overrides = dict[str, Any]


@dataclass(frozen=True)
class Domain:
    """What one setting may be, and when it is set at all.

    Args:
        key: the setting, dotted as on the command line.
        distribution: its values.
        when: other settings with the values of which one has to be chosen.
    """

    key: str
    distribution: BaseDistribution
    when: Mapping[str, Sequence[Any]]

    def active(self, chosen: Overrides) -> bool:
        """Whether the setting is to be chosen after those chosen before it."""
        return all(key in chosen and chosen[key] in values for key, values in self.when.items())

    def suggest(self, trial: Trial) -> Any:
        """A trial's value."""
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return trial.suggest_categorical(self.key, choices)
            case IntDistribution(low=low, high=high, step=step, log=log):
                return trial.suggest_int(self.key, low, high, step=step, log=log)
            case FloatDistribution(low=low, high=high, step=number, log=log):
                return trial.suggest_float(self.key, low, high, step=number, log=log)
        raise AssertionError(self.distribution)

    def ends(self) -> list[Any]:
        """Every choice, or the bounds."""
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return list(choices)
            case IntDistribution(low=low, high=high) | FloatDistribution(low=low, high=high):
                return [low, high]
        raise AssertionError(self.distribution)

    def all(self) -> list[Any]:
        """Every value.

        Raises:
            InputError: there is no end of them.
        """
        match self.distribution:
            case IntDistribution(low=low, high=high, step=step, log=False):
                return list(range(low, high + 1, step))
            case FloatDistribution(low=low, high=high, step=float(step)):
                first, width = Decimal(str(low)), Decimal(str(step))  # 0.1 seven times is 0.7
                return [float(first + i * width) for i in range(int((Decimal(str(high)) - first) / width) + 1)]
            case CategoricalDistribution(choices=choices):
                return list(choices)
        raise InputError(f"space.{self.key}: a grid needs a choice, or bounds with a step")


Space = Sequence[Domain]


def suggest(space: Space, trial: Trial) -> Overrides:
    """A trial's settings."""
    chosen: Overrides = {}
    for domain in space:
        if domain.active(chosen):
            chosen[domain.key] = domain.suggest(trial)
    return chosen


def grid(space: Space) -> list[Overrides]:
    """Every combination of all values, conditions heeded."""
    rows: list[Overrides] = [{}]
    for domain in space:
        rows = [
            {**row, **setting}
            for row in rows
            for setting in ([{domain.key: value} for value in domain.all()] if domain.active(row) else [{}])
        ]
    return rows


def examples(space: Space) -> Iterator[Overrides]:
    """Settings that have each choice and each bound at least once: whatever is refused is refused in one of them."""
    for domain in space:
        for value in domain.ends():
            yield _complete(space, {domain.key: value, **_needed(space, domain)})


def _needed(space: Space, domain: Domain) -> Overrides:
    """Settings of the entries above under which an entry is active."""
    known = {other.key: other for other in space}
    settings: Overrides = {}
    for key, values in domain.when.items():
        settings |= {**_needed(space, known[key]), key: values[0]}
    return settings


def _complete(space: Space, fixed: Overrides) -> Overrides:
    """Fixed settings with the first value of every other entry that is then active."""
    chosen: Overrides = {}
    for domain in space:
        if domain.active(chosen):
            chosen[domain.key] = fixed.get(domain.key, domain.ends()[0])
    return chosen
