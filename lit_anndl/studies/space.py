"""Search spaces: what a study may vary, as written in its file.

data.batch_size: [32, 64, 128]                    # one of these; {choice: […]} says the same
model.hidden: {int: [10, 100]}                    # a whole number from 10 to 100
model.dropout: {float: [0.0, 0.7], step: 0.1}     # a number
model.optimizer.lr: {float: [1e-4, 1], log: true} # equally many of each order of magnitude
model.optimizer.momentum: {float: [0, 0.99], when: {model.optimizer: SGD}}  # only then
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from optuna import Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lit_anndl.runtime.errors import InputError

KINDS = ("choice", "int", "float")
OPTIONS = ("log", "step", "when")
Overrides = dict[str, Any]


@dataclass(frozen=True)
class _Domain:
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


Space = Sequence[_Domain]


def read_space(entries: Mapping[str, Any]) -> Space:
    """The domains that a study file describes.

    Raises:
        InputError: names the key, what was given and what is expected.
    """
    space: list[_Domain] = []
    for key, entry in entries.items():
        entry = {"choice": entry} if isinstance(entry, list) else entry
        space.append(_Domain(key, _read_distribution(key, entry), _read_conditions(key, entry.get("when", {}), space)))
    return space


def _read_distribution(key: str, entry: Any) -> BaseDistribution:
    """The values that an entry describes."""
    if not isinstance(entry, Mapping):
        raise InputError(f"space.{key}: {entry} was given, expected a list of choices or {{float: [low, high]}}")
    for word in entry:
        if word not in (*KINDS, *OPTIONS):
            near = get_close_matches(str(word), (*KINDS, *OPTIONS), n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected {', '.join((*KINDS, *OPTIONS))}"
            raise InputError(f"space.{key}: there is no {word}; {hint}")
    kinds = [kind for kind in KINDS if kind in entry]
    if len(kinds) != 1:
        raise InputError(f"space.{key}: expected one of {', '.join(KINDS)}, found {' and '.join(kinds) or 'none'}")
    kind = kinds[0]
    if kind == "choice":
        return _read_choices(key, entry["choice"])
    low, high = _read_bounds(key, kind, entry[kind])
    log, step = entry.get("log", False), number(entry.get("step"))
    if not isinstance(log, bool):
        raise InputError(f"space.{key}: log: {log} was given, expected true or false")
    if log and (low <= 0 or step):
        raise InputError(f"space.{key}: a logarithmic scale needs bounds > 0 and takes no step")
    if step is not None and (not _is_number(step) or not 0 < step <= max(high - low, step * (low == high))):
        raise InputError(f"space.{key}: step {step} was given, expected a number from 0 to {high - low:g}")
    if kind == "int":
        if step is not None and step != int(step):
            raise InputError(f"space.{key}: step {step} was given, expected a whole number")
        return IntDistribution(int(low), int(high), log=log, step=int(step or 1))
    return FloatDistribution(float(low), float(high), log=log, step=None if step is None else float(step))


def _read_choices(key: str, choices: Any) -> CategoricalDistribution:
    """Choices as written."""
    if not isinstance(choices, list) or not choices:
        raise InputError(f"space.{key}: {choices} was given, expected a list of one choice or more")
    choices = [_text_of(choice) for choice in choices]
    for choice in choices:
        if not isinstance(choice, str | int | float | bool | None):
            raise InputError(
                f"space.{key}: {choice} cannot be a choice; expected text, numbers, lists, true, false or null"
            )
    if len(set(choices)) < len(choices):
        raise InputError(f"space.{key}: {choices} has a choice twice")
    return CategoricalDistribution(choices)


def _text_of(choice: Any) -> Any:
    """A choice as Optuna can keep it: a list as text."""
    return json.dumps(choice) if isinstance(choice, list) else choice


def _read_bounds(key: str, kind: str, bounds: Any) -> tuple[float, float]:
    """Bounds as written."""
    bounds = [number(bound) for bound in bounds] if isinstance(bounds, list) else bounds
    if not isinstance(bounds, list) or len(bounds) != 2 or not all(_is_number(bound) for bound in bounds):
        raise InputError(f"space.{key}: {bounds} was given, expected {{{kind}: [low, high]}}")
    low, high = bounds
    if low > high:
        raise InputError(f"space.{key}: the bounds {low}, {high} are upside down")
    if kind == "int" and (low != int(low) or high != int(high)):
        raise InputError(f"space.{key}: the bounds {low}, {high} are no whole numbers")
    return low, high


def _read_conditions(key: str, when: Any, above: Space) -> dict[str, list[Any]]:
    """The conditions of an entry; they look at entries above it."""
    if not isinstance(when, Mapping):
        raise InputError(f"space.{key}: when: {when} was given, expected {{key: value}}")
    known = {domain.key: domain for domain in above}
    conditions = {}
    for other, values in when.items():
        values = [_text_of(value) for value in (values if isinstance(values, list) else [values])]
        if not values:
            raise InputError(f"space.{key}: when {other} is [] is never; expected a value or several")
        if other not in known:
            raise InputError(f"space.{key}: when looks at {other}, which does not stand above it in the space")
        distribution = known[other].distribution
        if isinstance(distribution, CategoricalDistribution):
            for value in values:
                if value not in distribution.choices:
                    raise InputError(
                        f"space.{key}: when {other} is {value}: it never is, expected {list(distribution.choices)}"
                    )
        conditions[other] = values
    return conditions


def number(value: Any) -> Any:
    """A number that YAML reads as text: 1e-4."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


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
            yield complete(space, {domain.key: value, **needed(space, domain)})


def needed(space: Space, domain: _Domain) -> Overrides:
    """Settings of the entries above under which an entry is active."""
    known = {other.key: other for other in space}
    settings: Overrides = {}
    for key, values in domain.when.items():
        settings |= {**needed(space, known[key]), key: values[0]}
    return settings


def complete(space: Space, fixed: Overrides) -> Overrides:
    """Fixed settings with the first value of every other entry that is then active."""
    chosen: Overrides = {}
    for domain in space:
        if domain.active(chosen):
            chosen[domain.key] = fixed.get(domain.key, domain.ends()[0])
    return chosen
