"""Several studies, one after the other: what is left of each, and how long that will take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from lit_anndl.reports.library import Library
from lit_anndl.reports.measurements import Measurement, read_measurements
from lit_anndl.reports.study_page import in_words
from lit_anndl.reports.verdicts import group
from lit_anndl.runtime.errors import InputError
from lit_anndl.studies.database import StudyDatabase, retry
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.study import load


@dataclass(frozen=True)
class Remaining:
    """What is left of a study.

    Args:
        runs: that are not done; None where a study has no number of trials.
        seconds: they are likely to take, one after the other; None where nothing was measured before.
    """

    runs: int | None
    seconds: float | None

    def __str__(self) -> str:
        """In words."""
        runs = "runs until the time is up" if self.runs is None else f"{self.runs} run{'s' if self.runs != 1 else ''}"
        return runs if self.seconds is None else f"{runs}, about {in_words(self.seconds)}"


def remaining(definition: Definition, library: Library) -> Remaining:
    """What is left of a study, by the seconds that its runs took when they were measured.

    Raises:
        InputError: the kept measurements do not fit the study.
    """
    kept = group(read_measurements(library.measured(definition.name), definition))
    done, seeds = done_seeds(definition), len(definition.seeds)
    if not definition.rows:
        if definition.budget is None:
            return Remaining(None, None)
        runs = max(0, definition.budget * seeds - sum(done.values()))
        each = [seconds for measured in kept.values() for seconds in known(measured)]
        return Remaining(runs, runs * median(each) if each else None)
    left = {row: seeds - done.get(row, 0) for row in definition.rows}
    each_row = {row: known(kept.get(row, [])) for row in left if left[row]}
    if not all(each_row.values()):
        return Remaining(sum(left.values()), None)
    return Remaining(sum(left.values()), sum(left[row] * median(seconds) for row, seconds in each_row.items()))


def done_seeds(definition: Definition) -> Mapping[str, int]:
    """How many runs of each row, or of each trial of a search, are done; none where a study has not been begun."""
    try:
        opened = load(definition.name, StudyDatabase(definition.storage))
    except InputError:
        return {}
    wanted = set(map(str, definition.seeds))
    return {
        str(trial.user_attrs.get("row", trial.number)): (
            len(wanted & set(trial.user_attrs.get("metrics", {})))
            if definition.rows or not trial.state.is_finished()
            else len(wanted)  # one that was pruned or failed is done as well
        )
        for trial in retry(opened.trials)
    }


def known(measurements: Sequence[Measurement]) -> list[float]:
    """The seconds of runs that are known."""
    return [each.seconds for each in measurements if each.seconds == each.seconds]


def outlook(left: Mapping[str, Remaining]) -> str:
    """What is left of all studies, in a line."""
    to_go = {name: each for name, each in left.items() if each.runs != 0}
    line = f"{len(left)} studies: {len(left) - len(to_go)} complete, {len(to_go)} to go"
    if seconds := sum(each.seconds or 0.0 for each in to_go.values()):
        line += f", about {in_words(seconds)} by what was measured before"
    if unknown := [name for name, each in to_go.items() if each.seconds is None]:
        line += f"; how long is not known of {', '.join(unknown)}"
    return line
