"""What a page says of a study: its lines, its verdicts and what it cost, ready to be laid out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median

from lit_anndl.reports.claim_verdicts import ClaimLine, claim_lines, claims_said
from lit_anndl.reports.measurements import Measurement, group, seconds_of, values_of
from lit_anndl.reports.verdicts import Comparison, Verdict, comparisons, tally
from lit_anndl.runtime.numbers import significant
from lit_anndl.runtime.records import SHARED_BY
from lit_anndl.studies.definition import Definition, spelled
from lit_anndl.studies.rows import spread

DIGITS = 4


@dataclass(frozen=True)
class Line:
    """A row and metric of a study: what was published, what was measured, and how the two compare.

    Args:
        row: the row's name.
        metric: the metric's.
        published: numbers by source.
        measured: median and range of the committed measurements.
        own: the same of the runs in the store, empty where they are the committed ones.
        value: the median, to sort by; None if there is none.
        verdict: of each published number, in words.
        worst: the verdict that matters most, None where nothing was published.
        seconds: of a fit, the median.
    """

    row: str
    metric: str
    published: Mapping[str, str]
    measured: str
    own: str
    value: float | None
    verdict: str
    worst: Verdict | None
    seconds: str


@dataclass(frozen=True)
class StudyPage:
    """A study with its measurements.

    Args:
        definition: the study's.
        committed: the measurements that are kept beside the studies.
        own: those of the store.
        figures: pictures of the study by name, PNG.
    """

    definition: Definition
    committed: Sequence[Measurement]
    own: Sequence[Measurement] = ()
    figures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The study's."""
        return self.definition.name

    @property
    def measurements(self) -> Sequence[Measurement]:
        """What verdicts are about: the committed ones, and those of the store of rows of which there are none."""
        rows = group(self.committed)
        return [*self.committed, *(each for each in self.own if each.row not in rows)]

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Every published number beside its measurements."""
        return list(comparisons(self.definition, self.measurements))

    @cached_property
    def claims(self) -> list[ClaimLine]:
        """What was claimed in words, beside what was measured."""
        return claim_lines(self.definition, self.measurements)

    @property
    def claims_said(self) -> Mapping[str, str]:
        """By source what becomes of its claims, in words."""
        return claims_said(self.claims)

    @property
    def tally(self) -> Mapping[Verdict, int]:
        """How many published numbers have which verdict."""
        return tally(self.comparisons)

    @property
    def measured_rows(self) -> int:
        """How many rows there are measurements of."""
        return len(group(self.measurements))

    @property
    def protocol(self) -> str:
        """Exercise, settings of all runs, seeds, in a line."""
        settings = [f"{key} {spelled(value)}" for key, value in self.definition.fixed.items()]
        seeds = self.definition.seeds
        shown = f"seeds {seeds[0]}–{seeds[-1]}" if seeds == list(range(seeds[0], seeds[-1] + 1)) else f"seeds {seeds}"
        searched = f"a search over {', '.join(self.definition.space)}" if self.definition.space else ""
        exercises = ", ".join(f"`{name}`" for name in self.definition.exercises)
        parts = [exercises, *settings, shown if len(seeds) > 1 else f"seed {seeds[0]}", searched]
        return ", ".join(part for part in parts if part)

    @cached_property
    def lines(self) -> list[Line]:
        """The study's metric for each row, those shown beside it, and every metric that was published."""
        return list(self._lines())

    def _lines(self) -> Iterator[Line]:
        committed, own = group(self.committed), group(self.own)
        found: dict[tuple[str, str], list[Comparison]] = {}
        for each in self.comparisons:
            found.setdefault((each.row, each.metric), []).append(each)
        for row in self.definition.row_names:
            published = self.definition.published.get(row, {})
            seconds = _seconds(committed.get(row) or own.get(row, []))
            metrics = dict.fromkeys([self.definition.metric, *self.definition.shown, *published])
            for metric in metrics:
                values = values_of(committed.get(row, []), metric)
                ours = values_of(own.get(row, []), metric)
                compared = found.get((row, metric), [])
                if not (values or ours or compared or metric == self.definition.metric):
                    continue
                yield Line(
                    row,
                    metric,
                    {each.source: f"{each.published:g}" for each in compared},
                    self._shown(values, committed.get(row, [])),
                    "" if shown(ours, 0) == shown(values, 0) else self._shown(ours, own.get(row, [])),
                    median(values or ours) if values or ours else None,
                    _said(compared, len(self.definition.sources)),
                    min((each.verdict for each in compared), key=_WORST_FIRST.index, default=None),
                    seconds,
                )
                seconds = ""  # said once

    def _shown(self, values: Sequence[float], measured: Sequence[Measurement]) -> str:
        """Median and range, and of how many runs, where some have no number or are not done."""
        return shown(values, max(len(measured), len(self.definition.seeds)))

    @property
    def notes(self) -> list[str]:
        """What a search has chosen, remarks on rows, and what is known of wrong numbers."""
        chosen = [f"{each.row}: chosen {each.chosen}" for each in self.measurements if each.chosen][:1]
        remarks = [f"{row}: {text}" for row, text in self.definition.remarks.items()]
        slips = [
            f"{row}, {metric}, {source}: {why}"
            for row, by_metric in self.definition.slips.items()
            for metric, by_source in by_metric.items()
            for source, why in by_source.items()
        ]
        return [*chosen, *remarks, *slips]

    @property
    def cost(self) -> str:
        """How long all runs took, on what, when, and with what."""
        if not self.measurements:
            return "not yet run"
        known = {name: sorted({getattr(each, name) for each in self.measurements}) for name in _PROVENANCE}
        runs = "1 run" if len(self.measurements) == 1 else f"{len(self.measurements)} runs"
        took = f"{runs}, {in_words(self.seconds)} of fit"
        return "; ".join([took, *(", ".join(known[name]) for name in _PROVENANCE)])

    @property
    def seconds(self) -> float:
        """Of fit, all runs together, as far as they are known."""
        return sum(seconds_of(self.measurements))


_WORST_FIRST = (Verdict.OUTSIDE, Verdict.NOT_RUN, Verdict.SLIP, Verdict.INSIDE)
_PROVENANCE = ("processor", "date", "commit", "versions")


def in_words(seconds: float) -> str:
    """A time: 40 s, 13 minutes, 5.2 hours."""
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 90 * 60 else f"{seconds / 3600:.1f} hours"


def shown(values: Sequence[float], runs: int) -> str:
    """Median and range, and of how many runs, where not all of them have a number."""
    return spread(values, DIGITS) + (f", {len(values)} of {runs} runs" if 0 < len(values) < runs else "")


def _said(compared: Sequence[Comparison], sources: int) -> str:
    """The verdicts of a line, each with its source where there are several."""
    said = [(each.source, each.distance or each.verdict.value) for each in compared]
    return "; ".join(f"{source}: {verdict}" if sources > 1 else verdict for source, verdict in said)


def _seconds(measurements: Sequence[Measurement]) -> str:
    """Their median, and of how many runs together they are shares."""
    known, together = seconds_of(measurements), max(values_of(measurements, SHARED_BY), default=1)
    shared = f", shared by {together:.0f}" if together > 1 else ""
    return significant(median(known), 3) + shared if known else ""
