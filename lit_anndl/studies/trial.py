"""One trial: a run per seed, in this process."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from statistics import median
from threading import Event
from typing import Any

from optuna import Trial

from lit_anndl.config.configuration import Configuration, parse
from lit_anndl.runs.crew import Companion, MakeCompanion, Task
from lit_anndl.runs.resume import continuation
from lit_anndl.runs.run import Result, run
from lit_anndl.runtime.errors import InputError, RunFailure, Unreachable
from lit_anndl.studies.definition import BEST, Definition
from lit_anndl.studies.settings_digest import settings_digests
from lit_anndl.studies.space import Overrides, suggest
from lit_anndl.studies.trial_reporter import TrialReporter, note, on_own_trial

_log = logging.getLogger(__name__)


class TrialRuns:
    """The runs of a trial, one for each seed; those that are done are not done again.

    Args:
        trial: the trial.
        definition: of its study.
        parent: the id of the study's own run.
        lost: set when the trial has been taken away.
    """

    def __init__(self, trial: Trial, definition: Definition, parent: str, lost: Event) -> None:
        self.trial = trial
        self.definition = definition
        self.parent = parent
        self.lost = lost
        self.row: str | None = trial.user_attrs.get("row")

    @cached_property
    def settings(self) -> Overrides:
        """What the trial sets: those of its row, or chosen now.

        Raises:
            TrialTakenOver: another worker has taken it over.
        """
        if self.row:
            return dict(self.trial.user_attrs["overrides"])
        return on_own_trial(lambda: suggest(self.definition.domains, self.trial))

    @property
    def missing(self) -> list[int]:
        """The seeds that are not done."""
        done = self.trial.user_attrs.get("metrics", {})
        return [seed for seed in self.definition.seeds if str(seed) not in done]

    def learns_beside_others(self) -> bool:
        """Whether its runs take their steps together with others: those of other seeds, or of other trials.

        Raises:
            InputError: a setting is refused.
            TrialTakenOver: another worker has taken it over.
        """
        has_others = self.definition.together > 1 or (len(self.definition.seeds) > 1 and self._takes_seeds_at_once)
        return has_others and trains_side_by_side(configure(self.definition, self.settings, self.definition.seeds[0]))

    @property
    def tasks(self) -> list[Task]:
        """What is to be done: the seeds at once, or one after the other, as a pruner has to see them."""
        if self._takes_seeds_at_once:
            return [partial(self._run_beside_others, [seed]) for seed in self.missing]
        return [partial(self._run_beside_others, self.missing)]

    def run_in_turn(self) -> float:
        """Runs the seeds one after the other, as the only ones; the trial's value.

        Raises:
            Pruned: the study's pruner has given the trial up.
            TrialTakenOver: another worker has taken it over.
            Exception: whatever a run raises.
        """
        for seed in self.missing:
            self._run(seed)
        return self.value()

    def value(self) -> float:
        """The median of the study's metric over the seeds."""
        measured: dict[str, dict[str, float]] = self.trial.user_attrs["metrics"]
        return median(measured[str(seed)][self.definition.metric] for seed in self.definition.seeds)

    @property
    def _takes_seeds_at_once(self) -> bool:
        return self.definition.seeds_together == "auto" and self.definition.pruner == "none"

    def _run_beside_others(self, seeds: Sequence[int], make_companion: MakeCompanion) -> None:
        for seed in seeds:
            self._run(seed, make_companion())

    def _run(self, seed: int, companion: Companion | None = None) -> None:
        definition = self.definition
        fresh = replace(configure(definition, self.settings, seed), name=f"{self._name} seed={seed}")
        metric = definition.metric if definition.pruner != "none" else None
        first_step = definition.seeds.index(seed) * (fresh.epochs or 0)
        reporter = TrialReporter(self.trial, seed, metric, first_step, self.lost)
        callbacks = [reporter, companion] if companion else [reporter]
        start = partial(run, callbacks=callbacks, tags=self._tags, varied=definition.varied_anywhere)
        result = self._start_or_resume(seed, fresh, start)
        if definition.metric not in result.metrics:
            raise RunFailure(f"the run with seed {seed} measured no {definition.metric}")
        note(self.trial, "metrics", seed, result.metrics)

    def _start_or_resume(self, seed: int, fresh: Configuration, start: Callable[..., Result]) -> Result:
        """Goes on with the run that a worker before has left, or starts one; the study's own words are trusted."""
        started = time.time()
        if run_id := self.trial.user_attrs.get("runs", {}).get(str(seed)):
            try:
                return start(continuation(fresh.exercise, run_id, self.definition.argv(self.settings, seed)), started)
            except Unreachable:
                raise
            except InputError as error:  # its checkpoint is on a machine that is gone, for instance
                _log.warning("trial %d begins anew: %s", self.trial.number, error)
        settings = settings_digests(self.definition)[self.row or BEST]
        return start(fresh, started, tags={**self._tags, "settings": settings})

    @property
    def _name(self) -> str:
        chosen = (f"{key.rpartition('.')[2]}={short(value)}" for key, value in self.settings.items())
        return self.row or " ".join([str(self.trial.number), *chosen])

    @property
    def _tags(self) -> dict[str, str]:
        tags = {"mlflow.parentRunId": self.parent, "study": self.definition.name, "trial": str(self.trial.number)}
        return {**tags, "trial_state": "RUNNING", **({"row": self.row} if self.row else {})}


def configure(definition: Definition, chosen: Overrides, seed: int) -> Configuration:
    """The configuration of one run of a trial.

    Raises:
        InputError: a setting is refused.
    """
    return parse(
        definition.exercise_of(chosen), [*definition.argv(chosen, seed), "--trainer.enable_progress_bar=false"]
    )


def trains_side_by_side(configuration: Configuration) -> bool:
    """Whether a run may take its steps together with others."""
    return configuration.model_class.trains_side_by_side(configuration.model_arguments)


def short(value: Any) -> str:
    """A setting's value as it stands in a run's name."""
    return f"{value:.3g}" if isinstance(value, float) else str(value).rpartition(".")[2]
