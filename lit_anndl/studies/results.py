"""What a study has found: the best settings, figures and tables, on its parent run."""

import logging
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from lit_anndl.runtime.errors import Unreachable
from lit_anndl.runtime.records import Table
from lit_anndl.studies.best_settings import fit_command, fit_file, overrides
from lit_anndl.studies.database import retry
from lit_anndl.studies.definition import PRESENTATION, Definition
from lit_anndl.studies.row_figures import as_name, row_figures
from lit_anndl.studies.row_records import read_records
from lit_anndl.studies.rows import rows_table
from lit_anndl.studies.search_figures import search_figures
from lit_anndl.studies.standing import done_seeds, lacks_seeds
from lit_anndl.studies.study import OpenStudy
from lit_anndl.studies.thresholds import threshold_tables
from lit_anndl.tracking.run_records import figure_names

_log = logging.getLogger(__name__)


def conclude(opened: OpenStudy) -> None:
    """Brings the parent run up to date once no trial is running; the first of several workers does it."""
    retry(lambda: _conclude_once(opened))


def _conclude_once(opened: OpenStudy) -> None:
    """What `conclude` does, which may be repeated."""
    with opened.storage.locked(f"{opened.definition.name} results"):
        trials = opened.trials()
        if any(trial.state is TrialState.RUNNING for trial in trials):
            return
        opened = opened.refreshed()
        stand = _stand(opened.definition, trials)
        if opened.study.user_attrs.get("concluded") != stand and _record(opened, trials):
            opened.study.set_user_attr("concluded", stand)
        trials = opened.trials()
        if any(trial.state is TrialState.RUNNING for trial in trials):  # another command's, begun in the meantime
            return
        opened.parent.set_status("FINISHED" if _is_complete(opened.definition, trials) else "KILLED")


def is_concluded(opened: OpenStudy) -> bool:
    """Whether nothing is left to do: all trials have ended, and everything is written that can be said of them."""
    return _is_up_to_date(opened.refreshed())


def is_passed_over(opened: OpenStudy) -> bool:
    """Whether the next command has nothing to do, by a definition that may be another than the one that is kept.

    Rows that have failed are tried once more.
    """

    def nothing_to_do() -> bool:
        failed = opened.definition.rows and any(trial.state is TrialState.FAIL for trial in opened.trials())
        return not failed and _is_up_to_date(opened)

    return retry(nothing_to_do)


def _is_up_to_date(opened: OpenStudy) -> bool:
    """Whether nothing is left to do by the study's definition as it stands here."""
    trials, definition = opened.trials(), opened.definition
    written = opened.study.user_attrs.get("concluded") == _stand(definition, trials)
    return written and _is_complete(definition, trials)


def done_runs(opened: OpenStudy) -> dict[str, int]:
    """How many runs of each row, or of each trial of a search, are done or not to be done."""
    wanted = set(map(str, opened.definition.seeds))
    given_up = () if opened.definition.rows else (TrialState.FAIL, TrialState.PRUNED)  # rows are tried once more
    return {
        str(trial.user_attrs.get("row", trial.number)): (
            len(wanted) if trial.state in given_up else len(wanted & done_seeds(trial))
        )
        for trial in retry(opened.trials)
    }


def _stand(definition: Definition, trials: list[FrozenTrial]) -> dict[str, Any]:
    """What the parent run's tables and figures depend on."""
    shown = {name: getattr(definition, name) for name in sorted(PRESENTATION)}
    return {"trials": [[trial.number, trial.state.name] for trial in trials], **shown}


def _is_complete(definition: Definition, trials: list[FrozenTrial]) -> bool:
    """Whether all rows or trials have been begun, and have ended."""
    begun = {trial.user_attrs.get("row") for trial in trials}
    ended = all(trial.state.is_finished() and not lacks_seeds(trial, definition) for trial in trials)
    return ended and begun.issuperset(definition.rows) and len(trials) >= (definition.budget or 0)


def _record(opened: OpenStudy, trials: list[FrozenTrial]) -> bool:
    """Writes everything that can be said of these trials; returns whether it is all written."""
    definition, parent = opened.definition, opened.parent
    results = opened.results()
    for trial in (*trials, *results):
        parent.tag_trial(trial.user_attrs.get("runs", {}).values(), trial.number, trial.state.name)
    texts: dict[str, str] = {}
    best = opened.best()
    if best and not definition.metric.startswith("test/"):  # the test set chooses nothing
        settings = overrides(definition, best)
        texts["best.yaml"] = fit_file(definition, settings)
        parent.set_tags({"best_trial": str(best.number), "best_command": fit_command(definition, settings)})
    _show_figures(opened, results)
    written = parent.log_tables({"trials": _trials_table(trials)}, texts)
    return written and (_record_rows if definition.rows else _record_search)(opened, results)


def _show_figures(opened: OpenStudy, trials: list[FrozenTrial]) -> None:
    """Has MLflow's comparison show the runs' figures, as the first complete trial has them."""
    complete = (trial for trial in trials if trial.state is TrialState.COMPLETE)
    runs = [run_id for trial in complete for run_id in trial.user_attrs["runs"].values()]
    try:
        opened.lay_out(figure_names(opened.parent.store, runs[0]) if runs else ())
    except Unreachable as error:
        _log.warning("the comparison in MLflow could not be brought up to date: %s", error)


def _record_rows(opened: OpenStudy, trials: list[FrozenTrial]) -> bool:
    """Writes the rows' table, and what their runs' records show."""
    definition, parent = opened.definition, opened.parent
    written = parent.log_tables({"rows": rows_table(definition, trials)}, {})
    try:
        records = read_records(definition, trials, parent.store)
    except Unreachable as error:
        _log.warning("the rows' curves wait for the next command: %s", error)
        return False
    tables = {f"convergence_{as_name(metric)}": table for metric, table in threshold_tables(definition, records)}
    figures = row_figures(definition, trials, records, parent.store)
    return written and parent.log_tables(tables, {}) and parent.log_figures(figures)


def _record_search(opened: OpenStudy, trials: list[FrozenTrial]) -> bool:
    """Writes the pictures of a search, once there is something to see."""
    complete = sum(trial.state is TrialState.COMPLETE for trial in trials)
    return complete < 2 or opened.parent.log_figures(search_figures(opened.definition, trials))


def _trials_table(trials: list[FrozenTrial]) -> Table:
    """A line per trial: state, value, seconds, settings."""
    settings = [trial.user_attrs.get("overrides", trial.params) for trial in trials]
    keys = sorted({key for each in settings for key in each})
    seconds = [trial.duration.total_seconds() if trial.duration else None for trial in trials]
    named = {"row": [trial.user_attrs["row"] for trial in trials]} if all("row" in t.user_attrs for t in trials) else {}
    return {
        "trial": [trial.number for trial in trials],
        **named,
        "state": [trial.state.name for trial in trials],
        "value": [trial.value for trial in trials],
        "seconds": seconds,
        **{key: [each.get(key) for each in settings] for key in keys},
    }
