"""Several studies, one after the other: what is left of each, and how long that will take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from lit_anndl.reports.measurements import Measurement, group, seconds_of
from lit_anndl.reports.study_page import in_words
from lit_anndl.runtime.errors import InputError
from lit_anndl.studies.database import StudyDatabase
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.results import done_runs, is_passed_over
from lit_anndl.studies.study import OpenStudy, load, refuse_another


@dataclass(frozen=True)
class Remaining:
    """What is left of a study.

    Args:
        runs: that are not done; None where a study has no number of trials.
        seconds: they are likely to take, one after the other; None where nothing was measured before.
        complete: whether nothing is left, figures and tables included.
    """

    runs: int | None
    seconds: float | None
    complete: bool = False

    def __str__(self) -> str:
        """In words."""
        runs = "runs until the time is up" if self.runs is None else f"{self.runs} run{'s' if self.runs != 1 else ''}"
        return runs if self.seconds is None else f"{runs}, about {in_words(self.seconds)}"


def remaining(definition: Definition, kept: Sequence[Measurement]) -> Remaining:
    """What is left of a study, by the seconds that its runs took when they were measured."""
    opened = _find(definition)
    if opened and is_passed_over(opened):
        return Remaining(0, 0.0, complete=True)
    measured, done = group(kept), done_runs(opened) if opened else {}
    if definition.budget is None:
        return Remaining(None, None)
    if not definition.rows:
        runs = max(0, definition.budget * len(definition.seeds) - sum(done.values()))  # it may have been made longer
        each = seconds_of([one for own in measured.values() for one in own])
        return Remaining(runs, runs * median(each) if each else None)
    left = {row: len(definition.seeds) - done.get(row, 0) for row in definition.rows}
    each_row = {row: seconds_of(measured.get(row, [])) for row in left if left[row]}
    known = all(each_row.values())
    seconds = sum(left[row] * median(own) for row, own in each_row.items()) if known else None
    return Remaining(sum(left.values()), seconds)


def _find(definition: Definition) -> OpenStudy | None:
    """The study as it is kept, with this definition; None where it has not been begun, or is another study."""
    try:
        kept = load(definition.name, StudyDatabase(definition.storage))
        refuse_another(kept, definition)
    except InputError:
        return None
    return replace(kept, definition=definition)


def outlook(left: Mapping[str, Remaining]) -> str:
    """What is left of all studies, in a line."""
    to_go = {name: each for name, each in left.items() if not each.complete}
    line = f"{len(left)} studies: {len(left) - len(to_go)} complete, {len(to_go)} to go"
    if seconds := sum(each.seconds or 0.0 for each in to_go.values()):
        line += f", about {in_words(seconds)} by what was measured before"
    if unknown := [name for name, each in to_go.items() if each.seconds is None]:
        line += f"; how long is not known of {', '.join(unknown)}"
    return line
