"""What the command says of a study, at its end and at any time."""

from optuna.trial import FrozenTrial, TrialState

from lit_anndl.runtime.numbers import significant
from lit_anndl.studies.best_settings import fit_command, overrides
from lit_anndl.studies.database import retry
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.rows import spread, values_of_rows
from lit_anndl.studies.study import OpenStudy


def summary(opened: OpenStudy) -> str:
    """What the command says at its end, and `--status` at any time."""
    definition, counts, trials = opened.definition, retry(opened.counts), retry(opened.trials)
    others = {"PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting to go on or begin"}
    states = [f"{counts[state]} {word}" for state, word in others.items() if counts[state]]
    budget = f" of {max(definition.budget, len(trials))}" if definition.budget else ""
    lines = [", ".join([f"study {definition.name}: {counts['COMPLETE']}{budget} trials complete", *states])]
    if definition.rows:
        return "\n".join([*lines, *_rows_lines(definition, trials, retry(opened.results))])
    lines += [f"trial {t.number} failed: {_failure(t)}" for t in trials if t.state is TrialState.FAIL]
    if best := retry(opened.best):
        settings = overrides(definition, best)
        kind = f"median of seeds {definition.seeds}, " if len(definition.seeds) > 1 else ""
        lines += [f"best {definition.metric} {significant(float(best.value or 0.0), 4)} ({kind}trial {best.number}):"]
        lines += [f"  {key} {value}" for key, value in best.params.items()]
        lines += [f"again{', the first seed' if kind else ''}: {fit_command(definition, settings)}"]
    return "\n".join(lines)


def _rows_lines(definition: Definition, trials: list[FrozenTrial], results: list[FrozenTrial]) -> list[str]:
    """The table of rows for a terminal, by the study's metric, and why rows failed."""
    values = values_of_rows(definition, results)
    failures = {t.user_attrs["row"]: _failure(t) for t in trials if t.state is TrialState.FAIL}
    width = max(map(len, definition.rows))
    lines = [f"  {row:{width}}  {spread(values[row], 4)}" for row in values]
    lines += [f"  {row:{width}}  failed: {why}" for row, why in failures.items()]
    return [f"{definition.metric}, median (lowest–highest) of seeds {definition.seeds}:", *lines]


def _failure(trial: FrozenTrial) -> str:
    """Why a trial failed."""
    deaths = trial.user_attrs.get("deaths", 0)
    return str(trial.user_attrs.get("error", f"its worker died, {deaths + 1} times"))
