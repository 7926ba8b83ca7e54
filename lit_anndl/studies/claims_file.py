"""What others have said of a study's rows in words, and by which numbers it is decided, as written in its file.

    columns: {GAN: [gan slow, gan fast], VAE: [vae]}
    claims:
      stability:
        criterion: {quality/least_frequent_class: at least 0.01}
        share: 0.9
        shown: [quality/classes, quality/fid]
        reason: why this decides it, fixed before anything was measured
        ticks: {A: {GAN: no, VAE: yes}}

A run meets a criterion if all its conditions hold, of which a metric has one or a list: `at least`, `at most`, `above`
or `below` a number, or so many times another metric of the same run (`at most 5 times quality/fid_floor`). What is
claimed holds of a column if all its runs meet it, or that share of them. A tick is yes, no, `?`, or n/a where the model
has no such thing.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lit_anndl.config.explain import suggestion, unknown_key
from lit_anndl.runtime.errors import InputError

_RELATIONS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "at least": ("≥", operator.ge),
    "at most": ("≤", operator.le),
    "above": (">", operator.gt),
    "below": ("<", operator.lt),
}
_CONDITION = re.compile(rf"({'|'.join(_RELATIONS)}) (-?\d+(?:\.\d+)?(?:e-?\d+)?)(?: times (\S+))?")
_KEYS = ("criterion", "share", "shown", "reason", "ticks")
_TICKS: dict[Any, str] = {True: "yes", False: "no", "yes": "yes", "no": "no", "?": "?", "n/a": "n/a"}


@dataclass(frozen=True)
class Condition:
    """A metric compared with a number, or with a multiple of another metric of the same run."""

    metric: str
    relation: str
    number: float
    times: str | None

    def __str__(self) -> str:
        """As a formula."""
        multiple = f" × {self.times}" if self.times else ""
        return f"{self.metric} {_RELATIONS[self.relation][0]} {self.number:g}{multiple}"

    @property
    def metrics(self) -> list[str]:
        """What has to be measured."""
        return [self.metric, *([self.times] if self.times else [])]

    def holds(self, measured: Mapping[str, float]) -> bool:
        """Whether it holds of a run that has measured it."""
        bound = self.number * (measured[self.times] if self.times else 1.0)
        return _RELATIONS[self.relation][1](measured[self.metric], bound)


@dataclass(frozen=True)
class Claim:
    """What is said to hold of some columns and not of others.

    Args:
        name: of the property.
        criterion: when a run has it.
        share: the share of a column's runs that have to have it; None where all have to, and else none may.
        shown: other metrics that say something of it.
        reason: why the criterion is this one.
        ticks: what is claimed, by source and column: yes, no, ?, n/a.
    """

    name: str
    criterion: Sequence[Condition]
    share: float | None
    shown: Sequence[str]
    reason: str
    ticks: Mapping[str, Mapping[str, str]]

    @property
    def decisive(self) -> list[str]:
        """The metrics that the criterion is about."""
        return list(dict.fromkeys(each.metric for each in self.criterion))

    @property
    def metrics(self) -> list[str]:
        """All that are named."""
        return list(dict.fromkeys([*(name for each in self.criterion for name in each.metrics), *self.shown]))


def read_claims(entries: Mapping[str, Any], columns: Iterable[str], sources: Iterable[str]) -> list[Claim]:
    """The claims of a study file.

    Raises:
        InputError: says what was given and what was expected.
    """
    return [_read_claim(name, entry, list(columns), list(sources)) for name, entry in entries.items()]


def _read_claim(name: str, entry: Any, columns: list[str], sources: list[str]) -> Claim:
    where = f"claims: {name}"
    for key in entry:
        if key not in _KEYS:
            raise InputError(f"{where}: {unknown_key(key, _KEYS)}")
    criterion = entry.get("criterion")
    if not isinstance(criterion, dict) or not criterion:
        raise InputError(f"{where}: criterion: expected conditions by metric, such as {{test/mse: below 0.1}}")
    share = entry.get("share")
    if isinstance(share, bool) or not isinstance(share, int | float | None):
        raise InputError(f"{where}: share: {share} was given, expected a number")
    if share is not None and not 0 < share <= 1:
        raise InputError(f"{where}: share: {share:g} was given, expected more than 0 and 1 at most")
    reason = entry.get("reason", "")
    if not isinstance(reason, str):
        raise InputError(f"{where}: reason: {reason} was given, expected text")
    shown = entry.get("shown", [])
    if not isinstance(shown, list):
        raise InputError(f"{where}: shown: expected a list of metrics")
    conditions = [
        _read_condition(where, metric, text)
        for metric, texts in criterion.items()
        for text in (texts if isinstance(texts, list) else [texts])
    ]
    ticks = _read_ticks(where, entry.get("ticks", {}), columns, sources)
    return Claim(name, conditions, share, [str(each) for each in shown], reason, ticks)


def _read_condition(where: str, metric: str, text: Any) -> Condition:
    found = _CONDITION.fullmatch(str(text))
    if not found:
        raise InputError(
            f"{where}: criterion: {metric}: {text} was given, expected {', '.join(_RELATIONS)} and a number, "
            f"if need be with `times METRIC`"
        )
    relation, number, times = found.groups()
    return Condition(metric, relation, float(number), times)


def _read_ticks(where: str, entry: Any, columns: list[str], sources: list[str]) -> dict[str, dict[str, str]]:
    if not isinstance(entry, dict) or not all(isinstance(each, dict) for each in entry.values()):
        raise InputError(
            f"{where}: ticks: expected yes, no, ? or n/a by source and column, such as {{A: {{gan: yes}}}}"
        )
    for source, by_column in entry.items():
        if source not in sources:
            raise InputError(
                f"{where}: ticks: {source} is none of the sources ({', '.join(sources) or 'there are none'})"
            )
        for column, tick in by_column.items():
            if column not in columns:
                raise InputError(f"{where}: ticks: {source}: there is no column {column}{suggestion(column, columns)}")
            if not isinstance(tick, bool | str) or tick not in _TICKS:
                raise InputError(f"{where}: ticks: {source}: {column}: {tick} was given, expected yes, no, ? or n/a")
    return {source: {column: _TICKS[tick] for column, tick in each.items()} for source, each in entry.items()}
