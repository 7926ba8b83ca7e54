"""What was claimed in words beside what was measured: agrees, contradicts, undecided."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from lit_anndl.reports.measurements import Measurement, group, values_of
from lit_anndl.studies.claims_file import Claim, read_claims
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.rows import spread
from lit_anndl.studies.validation import measured_metrics

YES, NO, UNDECIDED, NONE, NOT_RUN = "yes", "no", "undecided", "n/a", "not yet run"
_DIGITS, _DECIMALS = 3, 4
_ROUNDING = 1e-9
_REFERENCES = {"_floor": "floor", "_chance": "chance", "_fading": "cross-fading"}
"""Metrics beside a metric, of the same name but for this end: what real images have, or what chance gives."""


class ClaimVerdict(Enum):
    """What becomes of a tick."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    UNDECIDED = "undecided"
    NOT_RUN = "not yet run"


@dataclass(frozen=True)
class Tick:
    """What a source claims of a column, and what becomes of it."""

    source: str
    claimed: str
    verdict: ClaimVerdict


@dataclass(frozen=True)
class Cell:
    """A property of a column's rows.

    Args:
        answer: yes, no, undecided, n/a, or not yet run.
        ticks: what is claimed.
        numbers: of each metric its name in short, and median and range, with floor or chance.
    """

    answer: str
    ticks: Sequence[Tick]
    numbers: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class ClaimLine:
    """A property, and its cells by column."""

    claim: Claim
    cells: Mapping[str, Cell]

    @property
    def criterion(self) -> str:
        """In a formula."""
        share = f", of {self.claim.share:.0%} of the runs" if self.claim.share else ""
        return " and ".join(map(str, self.claim.criterion)) + share


def claim_lines(definition: Definition, measurements: Sequence[Measurement]) -> list[ClaimLine]:
    """The claims of a study, in the order of its file."""
    claims = read_claims(definition.claims, definition.claim_columns, definition.sources)
    by_row = group(measurements)
    columns = {
        column: _Column(definition, rows, [run for row in rows for run in by_row.get(row, [])])
        for column, rows in definition.claim_columns.items()
    }
    return [
        ClaimLine(claim, {name: _cell(claim, name, column) for name, column in columns.items()}) for claim in claims
    ]


def claims_said(lines: Sequence[ClaimLine]) -> dict[str, str]:
    """By source how many of its ticks have which verdict, in words."""
    ticks = [tick for line in lines for cell in line.cells.values() for tick in cell.ticks]
    return {
        source: ", ".join(
            f"{count} {verdict.value if count == 1 else verdict.value.removesuffix('s')}"
            for verdict in ClaimVerdict
            if (count := sum(tick.verdict is verdict for tick in ticks if tick.source == source))
        )
        for source in dict.fromkeys(tick.source for tick in ticks)
    }


class _Column:
    """Some rows with their runs."""

    def __init__(self, definition: Definition, rows: Sequence[str], runs: Sequence[Measurement]) -> None:
        self.runs, self.planned = runs, len(rows) * len(definition.seeds)
        self.metrics = {
            name for row in rows for name in measured_metrics(definition.exercise_of(definition.table[row]))
        }

    def lacks(self, claim: Claim) -> bool:
        """Whether its exercises have no such thing."""
        return not self.metrics.issuperset(claim.decisive)

    def met(self, claim: Claim) -> list[bool]:
        """Of each run that has measured it whether it meets the criterion."""
        needed = [name for each in claim.criterion for name in each.metrics]
        measured = [run.metrics for run in self.runs if all(name in run.metrics for name in needed)]
        return [all(each.holds(metrics) for each in claim.criterion) for metrics in measured]


def _cell(claim: Claim, name: str, column: _Column) -> Cell:
    answer = _answer(claim, column)
    ticks = [
        Tick(source, each[name], _verdict(each[name], answer)) for source, each in claim.ticks.items() if name in each
    ]
    return Cell(answer, ticks, list(_numbers(claim, column)))


def _answer(claim: Claim, column: _Column) -> str:
    """Whether the column has the property, once all planned runs say so; of a share, once no other can change it."""
    if column.lacks(claim):
        return NONE
    met = column.met(claim)
    if not met:
        return NOT_RUN if not column.runs else UNDECIDED
    planned = max(column.planned, len(met))
    if claim.share is None:
        return UNDECIDED if len(met) < planned or 0 < sum(met) < planned else YES if all(met) else NO
    needed = math.ceil(claim.share * planned - _ROUNDING)
    if sum(met) >= needed:
        return YES
    return NO if planned - (len(met) - sum(met)) < needed else UNDECIDED


def _verdict(claimed: str, answer: str) -> ClaimVerdict:
    if claimed == answer and answer in (YES, NO, NONE):
        return ClaimVerdict.AGREES
    if answer == NOT_RUN:
        return ClaimVerdict.NOT_RUN
    if claimed == "?" or answer == UNDECIDED:
        return ClaimVerdict.UNDECIDED
    return ClaimVerdict.CONTRADICTS


def _numbers(claim: Claim, column: _Column) -> Iterator[tuple[str, str]]:
    """The share that meets the criterion, if it is about one, then the metrics that the column has."""
    if claim.share is not None and (met := column.met(claim)):
        yield "met by", f"{sum(met)} of {len(met)} runs"
    for metric in dict.fromkeys([*claim.decisive, *claim.shown]):
        if values := values_of(column.runs, metric):
            references = [
                f"{word} {_shown(found)}"
                for end, word in _REFERENCES.items()
                if (found := values_of(column.runs, metric + end))
            ]
            yield short_name(metric), ", ".join([_shown(values), *references])


def _shown(values: Sequence[float]) -> str:
    """Median and range, without exponents."""
    whole = len(f"{max(map(abs, values)):.0f}")
    return spread([round(value, _DECIMALS) for value in values], max(_DIGITS, whole))


def short_name(metric: str) -> str:
    """A metric's name as a reader wants it: quality/least_frequent_class as least frequent class."""
    stage, _, name = metric.partition("/")
    return metric if stage == "seconds" else (name or stage).replace("_", " ")
