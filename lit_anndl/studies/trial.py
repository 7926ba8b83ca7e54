"""One trial: a run per seed, in this process."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from threading import Event
from typing import Any, TypeVar

from lightning.pytorch import Callback, LightningModule, Trainer
from optuna import Trial
from optuna.exceptions import UpdateFinishedTrialError

from lit_anndl.config.configuration import Configuration, parse
from lit_anndl.runs.crew import Companion, run_together
from lit_anndl.runs.resume import continuation
from lit_anndl.runs.run import Result, run
from lit_anndl.runtime.errors import InputError, RunFailure, Stopped, Unreachable
from lit_anndl.studies.database import retry
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.space import Overrides, suggest
from lit_anndl.tracking.tracker import Tracker

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

_REPORTS = 50
"""How often a run's metric is reported to the pruner at most: each time costs some milliseconds."""

_TAKEN_OVER = "another worker has taken the trial over"


class Pruned(Stopped):
    """The pruner has given a trial up."""


class TrialTakenOver(Stopped):
    """Others believe this worker dead, and another one has its trial."""


class _Reporter(Callback):
    """Tells the study which run a trial is at and how it does, and ends what the study has given up.

    An epoch is reported when the next begins: its checkpoint is written by then.

    Args:
        trial: the trial.
        seed: of the run.
        metric: what the pruner looks at, None without a pruner.
        first_step: where the run's epochs begin among those of the trial.
        lost: set when the trial has been taken away.
    """

    def __init__(self, trial: Trial, seed: int, metric: str | None, first_step: int, lost: Event) -> None:
        self.trial = trial
        self.seed = seed
        self.metric = metric
        self.first_step = first_step
        self.lost = lost
        self.reported: set[int] = set()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the run, for whoever has to go on with it."""
        assert isinstance(trainer.logger, Tracker)
        note(self.trial, "runs", self.seed, trainer.logger.run_id)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reports the epochs before; raises Pruned, or TrialTakenOver."""
        if self.lost.is_set():
            raise TrialTakenOver(_TAKEN_OVER)
        if self._report(trainer) and _on_own_trial(self.trial.should_prune):
            raise Pruned(f"pruned at epoch {trainer.current_epoch}")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reports the last epoch, which is too late to prune."""
        self._report(trainer)

    def _report(self, trainer: Trainer) -> bool:
        if self.metric is None:
            return False
        assert isinstance(trainer.logger, Tracker)
        every = max(1, (trainer.max_epochs or 1) // _REPORTS)
        fresh = {
            self.first_step + epoch: value
            for epoch, value in trainer.logger.history.get(self.metric, [])
            if epoch % every == 0 and self.first_step + epoch not in self.reported
        }
        for step, value in fresh.items():
            _on_own_trial(partial(self.trial.report, value, step))
        self.reported |= fresh.keys()
        return bool(fresh)


def run_seeds(trial: Trial, definition: Definition, parent: str, lost: Event) -> float:
    """Runs a trial with each seed and returns the median of its metric; seeds that are done are not done again.

    Raises:
        Pruned: the study's pruner has given it up.
        TrialTakenOver: another worker has taken it over.
        Exception: whatever a run raises.
    """
    row = trial.user_attrs.get("row")
    chosen = trial.user_attrs["overrides"] if row else _on_own_trial(lambda: suggest(definition.domains, trial))
    name = row or f"{trial.number} " + " ".join(f"{key.rpartition('.')[2]}={short(v)}" for key, v in chosen.items())
    tags = {"mlflow.parentRunId": parent, "study": definition.name, "trial": str(trial.number)}
    tags |= {"trial_state": "RUNNING", **({"row": row} if row else {})}
    position = {seed: number for number, seed in enumerate(definition.seeds)}

    def run_seed(seed: int, companion: Companion | None = None) -> None:
        fresh = replace(configure(definition, chosen, seed), name=f"{name} seed={seed}")
        metric = definition.metric if definition.pruner != "none" else None
        reporter = _Reporter(trial, seed, metric, position[seed] * (fresh.epochs or 0), lost)
        callbacks = [reporter, *([companion] if companion else [])]
        start = partial(run, callbacks=callbacks, tags=tags, varied=definition.varied_anywhere)
        result = _run_or_resume(trial, seed, fresh, start, definition.argv(chosen, seed))
        if definition.metric not in result.metrics:
            raise RunFailure(f"the run with seed {seed} measured no {definition.metric}")
        note(trial, "metrics", seed, result.metrics)

    missing = [seed for seed in definition.seeds if str(seed) not in trial.user_attrs.get("metrics", {})]
    if missing and _may_train_together(definition, configure(definition, chosen, missing[0])):
        _raise_first(run_together([partial(run_seed, seed) for seed in missing]))
    else:
        for seed in missing:
            run_seed(seed)
    measured: dict[str, dict[str, float]] = trial.user_attrs["metrics"]
    return median(measured[str(seed)][definition.metric] for seed in definition.seeds)


def _may_train_together(definition: Definition, configuration: Configuration) -> bool:
    """Whether the seeds of a trial may be trained as one program; a pruner looks at one after the other."""
    wanted = len(definition.seeds) > 1 and definition.seeds_together == "auto" and definition.pruner == "none"
    return wanted and configuration.model_class.trains_side_by_side(configuration.model_arguments)


def _raise_first(outcomes: Sequence[Any]) -> None:
    """Raises what one of several runs has ended with: first of all that it was stopped."""
    errors = [each for each in outcomes if isinstance(each, BaseException)]
    for error in sorted(errors, key=lambda each: not isinstance(each, Stopped)):
        raise error


def configure(definition: Definition, chosen: Overrides, seed: int) -> Configuration:
    """The configuration of one run of a trial.

    Raises:
        InputError: a setting is refused.
    """
    return parse(
        definition.exercise_of(chosen), [*definition.argv(chosen, seed), "--trainer.enable_progress_bar=false"]
    )


def _run_or_resume(
    trial: Trial, seed: int, fresh: Configuration, start: Callable[[Configuration, float], Result], own: Sequence[str]
) -> Result:
    """Goes on with the run that a worker before has left, or else starts one; the study's own words are trusted."""
    started = time.time()
    if run_id := trial.user_attrs.get("runs", {}).get(str(seed)):
        try:
            return start(continuation(fresh.exercise, run_id, own), started)
        except Unreachable:
            raise
        except InputError as error:  # its checkpoint is on a machine that is gone, for instance
            _log.warning("trial %d begins anew: %s", trial.number, error)
    return start(fresh, started)


def note(trial: Trial, attribute: str, seed: int, value: Any) -> None:
    """Keeps something of one seed's run with the trial."""
    noted = {**trial.user_attrs.get(attribute, {}), str(seed): value}
    _on_own_trial(lambda: trial.set_user_attr(attribute, noted))


def _on_own_trial(action: Callable[[], _T]) -> _T:
    """The result of an action on a trial that this worker has, tried again while the database is away.

    Raises:
        TrialTakenOver: it has it no more.
    """
    try:
        return retry(action)
    except UpdateFinishedTrialError as error:
        raise TrialTakenOver(_TAKEN_OVER) from error


def short(value: Any) -> str:
    """A setting's value as it stands in a run's name."""
    return f"{value:.3g}" if isinstance(value, float) else str(value).rpartition(".")[2]
