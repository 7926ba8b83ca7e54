"""Study files: what a study is, and how it is to be carried out."""

import json
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, Literal

import yaml
from jsonargparse.typing import NonNegativeInt, PositiveFloat, PositiveInt

from lit_anndl.config.merge import flatten
from lit_anndl.studies.space import Overrides, Space, grid
from lit_anndl.studies.space_file import read_space


@dataclass(frozen=True)
class Slurm:
    """What each job of a cluster asks for.

    Args:
        partition: where to run.
        account: who pays.
        minutes: the time limit of a job; it is requeued when that is up and the study is not complete.
        gpus: GPUs per job.
        cpus: CPU cores per job.
        memory: such as 16GB.
        setup: shell commands before the worker starts, such as `module load cuda`.
        flags: any others of sbatch, by long name: `{qos: long, constraint: a100}`.
    """

    partition: str | None = None
    account: str | None = None
    minutes: PositiveInt = 240
    gpus: NonNegativeInt = 0
    cpus: PositiveInt = 2
    memory: str | None = None
    setup: list[str] = field(default_factory=list)
    flags: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Definition:
    """A study: over a search space, or over rows that are all run.

    Args:
        exercise: what each run is a run of; a row may name another, as its setting `exercise`.
        name: the study's, by default that of the file.
        overrides: settings of every run, beside the exercise's own.
        metric: what the study is about; over a search space a metric of train/ or val/, for the test set chooses
            nothing.
        direction: minimize or maximize.
        seeds: each trial is run with each of them, and its value is the median.
        seeds_together: auto to train the seeds of a trial as one program where the exercise can (their seconds are
            shares of it), never for one after the other.
        together: how many trials a worker takes at once, to train them as one program where the exercise can; those
            of a search are chosen before any of them is known, and there are none yet that a pruner could compare the
            first ones with. Worth it where networks are small, and differ in learning rate, momentum, weight decay or
            seed alone.
        sampler: how a trial is chosen: tpe, random, grid (every combination), gp (Gaussian process), qmc
            (quasi-random), cmaes.
        sampler_seed: of the sampler.
        pruner: what ends trials early that do badly: none, median, hyperband.
        space: what is varied, see `lit_anndl.studies.space_file`.
        rows: settings by name, the rows of a table, in place of a space.
        facet: settings of every row; in the figures of learning curves each of their values has panels of its own.
        gallery: figures of the runs that are shown together, those of each row's first seed.
        thresholds: values by metric, `{train/mse: [0.03, 0.02]}`: after how many epochs and seconds a row stays
            below each.
        overlays: tables of the runs, such as forecast, that are drawn over each other: their third column against the
            first, median and range over the seeds for each row, and in black the second, the same for all; of tables
            of two columns the second against the first.
        overlays_together: whether all rows are drawn in one pair of axes, rather than each in its own.
        costs: metrics such as parameters and seconds/fit that the study's metric is drawn against.
        question: what the study asks, in one line.
        shown: metrics that its page tells of each row beside the study's own, where a row has them.
        sources: who published numbers, by the short names that stand in `published`.
        published: numbers by row, metric and source, `{SGD: {test/mse: {A: 0.0033}}}`.
        slips: why published numbers are known to be wrong, by row, metric and source.
        remarks: what is to be said of a row, or where it differs from what was published.
        headline: rows that the README shows, and by which metric, `{SGD: test/mse}`.
        claims: what others have said of the rows in words, and what decides it, see `lit_anndl.studies.claims_file`.
        columns: rows that claims are about together, by the name of their column; by default each row has its own.
        trials: how many trials the whole study has, however many workers; a grid and rows have their own number.
        timeout: after so many seconds no worker begins another trial.
        max_failures: a worker gives up after so many failures in a row.
        workers: local processes, or jobs of the cluster.
        workers_per_gpu: local processes that share a GPU.
        launcher: local, or slurm.
        storage: sqlite:///FILE, or postgresql://… for several machines; by default LIT_ANNDL_STORAGE, or else
            mlruns/optuna.db.
        slurm: what a job asks for.
    """

    exercise: str
    metric: str
    name: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)
    direction: Literal["minimize", "maximize"] = "minimize"
    seeds: list[NonNegativeInt] = field(default_factory=lambda: [0])
    seeds_together: Literal["auto", "never"] = "auto"
    together: PositiveInt = 1
    sampler: Literal["tpe", "random", "grid", "gp", "qmc", "cmaes"] = "tpe"
    sampler_seed: NonNegativeInt = 0
    pruner: Literal["none", "median", "hyperband"] = "none"
    space: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    facet: list[str] = field(default_factory=list)
    gallery: list[str] = field(default_factory=list)
    thresholds: dict[str, list[float]] = field(default_factory=dict)
    overlays: list[str] = field(default_factory=list)
    overlays_together: bool = False
    costs: list[str] = field(default_factory=list)
    question: str = ""
    shown: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    published: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    slips: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    headline: dict[str, str] = field(default_factory=dict)
    claims: dict[str, dict[str, str | float | list[str] | dict[str, Any]]] = field(default_factory=dict)
    columns: dict[str, list[str]] = field(default_factory=dict)
    trials: PositiveInt | None = None
    timeout: PositiveFloat | None = None
    max_failures: PositiveInt = 10
    workers: PositiveInt = 1
    workers_per_gpu: PositiveInt = 1
    launcher: Literal["local", "slurm"] = "local"
    storage: str | None = None
    slurm: Slurm = field(default_factory=Slurm)

    @cached_property
    def domains(self) -> Space:
        """The search space."""
        return read_space(self.space)

    @cached_property
    def fixed(self) -> Overrides:
        """The overrides, by dotted key."""
        return flatten(self.overrides)

    @cached_property
    def table(self) -> dict[str, Overrides]:
        """The rows by name, settings by dotted key, among them the exercise of a row that has its own."""
        return {name: flatten(row) for name, row in self.rows.items()}

    def exercise_of(self, settings: Overrides) -> str:
        """The exercise of a row, or trial, with some settings."""
        return str(settings.get(EXERCISE, self.exercise))

    @property
    def exercises(self) -> list[str]:
        """Those of all rows, in their order."""
        return list(dict.fromkeys(map(self.exercise_of, self.table.values()))) or [self.exercise]

    @property
    def claim_columns(self) -> dict[str, list[str]]:
        """The rows that claims are about together, by the name of their column."""
        return self.columns or {row: [row] for row in self.rows}

    @property
    def row_names(self) -> list[str]:
        """The rows that results are told by: those of the study, or of a search its best trial."""
        return list(self.rows) or [BEST]

    @cached_property
    def planned(self) -> list[Overrides]:
        """The trials that are known beforehand: those of a grid."""
        return grid(self.domains) if self.sampler == "grid" and self.space else []

    @property
    def varied(self) -> list[str]:
        """The settings that differ from trial to trial and that every trial has."""
        searched = [domain.key for domain in self.domains if not domain.when]
        rows = list(self.table.values())
        everywhere = [key for key in (rows[0] if rows else {}) if all(key in row for row in rows)]
        return searched + [key for key in everywhere if key != EXERCISE]

    @property
    def varied_anywhere(self) -> set[str]:
        """The settings that differ from trial to trial, or that some trials alone have."""
        rows = (key for row in self.table.values() for key in row)
        return {*(domain.key for domain in self.domains), *rows} - {EXERCISE}

    @property
    def stops_early(self) -> bool:
        """Whether each trial is stopped early, as far as the study file says."""
        settings = [{**self.fixed, **row} for row in self.table.values()] or [self.fixed]
        return all(each.get("early_stopping.patience") for each in settings)

    @property
    def budget(self) -> int | None:
        """How many trials the study has, None without a limit."""
        return len(self.rows) or len(self.planned) or self.trials

    @property
    def text(self) -> str:
        """The study file; what belongs to a command and its machine left out."""
        plain = json.loads(json.dumps({key: asdict(self)[key] for key in _DEFINING}, default=str))
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)

    def argv(self, overrides: Overrides, seed: int) -> list[str]:
        """The options of `fit` for one run of a trial."""
        settings = {**self.fixed, **overrides, "seed_everything": seed}
        return [f"--{key}={spelled(value)}" for key, value in settings.items() if key != EXERCISE]


EXERCISE = "exercise"
"""The setting by which a row is one of another exercise than the study's."""
BEST = "best"
"""The row of a search: its best trial."""

_COMMAND_ONLY = {
    "timeout",
    "max_failures",
    "workers",
    "workers_per_gpu",
    "launcher",
    "storage",
    "slurm",
}
_DEFINING = [each.name for each in fields(Definition) if each.name not in _COMMAND_ONLY]
"""What makes a study the one that it is; the others may differ from command to command."""
EXECUTION = {"seeds_together", "together"}
"""How trials are trained, which may change at any time: what each of them finds depends on it by rounding alone."""
PRESENTATION = {"facet", "gallery", "thresholds", "overlays", "overlays_together", "costs"}
"""How the rows of a study are shown, which may change at any time."""
DOCUMENTATION = {"question", "shown", "sources", "published", "slips", "remarks", "headline", "claims", "columns"}
"""What the report says of a study, which may change at any time."""


def spelled(value: Any) -> str:
    """A setting as it is typed on the command line."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
