"""A published number beside what was measured: inside the range, outside and by how much, a slip, or not yet run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from lit_anndl.reports.measurements import Measurement, group, values_of
from lit_anndl.studies.definition import Definition

_ONE_PERCENT = 0.01
_MANY = 10
"""From so many times the nearest value on, a distance is said as a multiple."""


class Verdict(Enum):
    """What becomes of a published number."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    SLIP = "slip"
    NOT_RUN = "not yet run"


@dataclass(frozen=True)
class Comparison:
    """One published number and the measurements of its row.

    Args:
        row: the row's name.
        metric: what is measured.
        source: who published the number, by a short name.
        published: the number.
        measured: a value per seed, none if the row has not been run.
        slip: why the number is wrong, empty if it is not known to be.
    """

    row: str
    metric: str
    source: str
    published: float
    measured: Sequence[float]
    slip: str = ""

    @property
    def verdict(self) -> Verdict:
        """Inside if the lowest and the highest measured value enclose the number, to its own digits."""
        if self.slip:
            return Verdict.SLIP
        if not self.measured:
            return Verdict.NOT_RUN
        slack = rounding(self.published)
        low, high = min(self.measured) - slack, max(self.measured) + slack
        return Verdict.INSIDE if low <= self.published <= high else Verdict.OUTSIDE

    @property
    def distance(self) -> str:
        """How far outside a number lies, as a share of the nearest measured value; empty if it does not."""
        if self.verdict is not Verdict.OUTSIDE:
            return ""
        nearest = min(self.measured, key=lambda value: abs(value - self.published))
        way = "above the highest" if self.published > nearest else "below the lowest"
        if not nearest:
            return f"{abs(self.published - nearest):.3g} {way}"
        share = abs(self.published - nearest) / abs(nearest)
        if share > _MANY and 0 < nearest < self.published:
            return f"{self.published / nearest:.3g} × the highest"
        return f"{share:.0%} {way}" if share >= _ONE_PERCENT else f"less than 1% {way}"


def rounding(number: float) -> float:
    """Half a unit of the last digit that a number is written with: 0.0033 stands for 0.00325 to 0.00335.

    Zeros at its end are lost when a file is read; whole numbers stand for themselves.
    """
    if float(number).is_integer():
        return 0.0
    digits, _, exponent = f"{number!r}".partition("e")
    return 0.5 * 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))


def comparisons(definition: Definition, measurements: Sequence[Measurement]) -> Iterator[Comparison]:
    """Every published number of a study, in the order of its file."""
    by_row = group(measurements)
    for row, by_metric in definition.published.items():
        for metric, by_source in by_metric.items():
            measured = values_of(by_row.get(row, []), metric)
            for source, number in by_source.items():
                slip = definition.slips.get(row, {}).get(metric, {}).get(source, "")
                yield Comparison(row, metric, source, number, measured, slip)


def summary(tallies: Sequence[Mapping[Verdict, int]]) -> str:
    """How many published numbers of all have which verdict, in words."""
    counts = {verdict: sum(each[verdict] for each in tallies) for verdict in Verdict}
    return ", ".join(
        f"{count} {verdict.value}{'s' if verdict is Verdict.SLIP and count != 1 else ''}"
        for verdict, count in counts.items()
    )


def tally(found: Sequence[Comparison]) -> Mapping[Verdict, int]:
    """How many published numbers have which verdict."""
    return {verdict: sum(each.verdict is verdict for each in found) for verdict in Verdict}
