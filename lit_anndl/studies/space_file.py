"""Search spaces: what a study may vary, as written in its file.

data.batch_size: [32, 64, 128]                    # one of these; {choice: […]} says the same
model.hidden: {int: [10, 100]}                    # a whole number from 10 to 100
model.dropout: {float: [0.0, 0.7], step: 0.1}     # a number
model.optimizer.lr: {float: [1e-4, 1], log: true} # equally many of each order of magnitude
model.optimizer.momentum: {float: [0, 0.99], when: {model.optimizer: SGD}}  # only then
"""

import json
import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lit_anndl.runtime.errors import InputError
from lit_anndl.studies.space import Domain, Space

_KINDS = ("choice", "int", "float")
_OPTIONS = ("log", "step", "when")


def read_space(entries: Mapping[str, Any]) -> Space:
    """The domains that a study file describes.

    Raises:
        InputError: names the key, what was given and what is expected.
    """
    space: list[Domain] = []
    for key, entry in entries.items():
        entry = {"choice": entry} if isinstance(entry, list) else entry
        space.append(Domain(key, _read_distribution(key, entry), _read_conditions(key, entry.get("when", {}), space)))
    return space


def _read_distribution(key: str, entry: Any) -> BaseDistribution:
    """The values that an entry describes."""
    if not isinstance(entry, Mapping):
        raise InputError(f"space.{key}: {entry} was given, expected a list of choices or {{float: [low, high]}}")
    for word in entry:
        if word not in (*_KINDS, *_OPTIONS):
            near = get_close_matches(str(word), (*_KINDS, *_OPTIONS), n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected {', '.join((*_KINDS, *_OPTIONS))}"
            raise InputError(f"space.{key}: there is no {word}; {hint}")
    kinds = [kind for kind in _KINDS if kind in entry]
    if len(kinds) != 1:
        raise InputError(f"space.{key}: expected one of {', '.join(_KINDS)}, found {' and '.join(kinds) or 'none'}")
    kind = kinds[0]
    if kind == "choice":
        return _read_choices(key, entry["choice"])
    low, high = _read_bounds(key, kind, entry[kind])
    log, step = entry.get("log", False), _number(entry.get("step"))
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
    bounds = [_number(bound) for bound in bounds] if isinstance(bounds, list) else bounds
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


def _number(value: Any) -> Any:
    """A number that YAML reads as text: 1e-4."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
