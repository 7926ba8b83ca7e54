"""How trials are chosen, and which are given up: Optuna's algorithms by the names of study files."""

from importlib.util import find_spec

from optuna import pruners, samplers

from lit_anndl.errors import InputError
from lit_anndl.studies.definition import Definition

FEWEST_TRIALS = 5
"""Trials that the median is taken over, before it prunes."""

WARM_UP = 10
"""The median prunes nothing in the first tenth of a run."""


def make_sampler(definition: Definition, place: int) -> samplers.BaseSampler:
    """The sampler of one trial, seeded by its place in the study: whichever worker takes a place draws the same.

    Raises:
        InputError: the package that it needs is not installed.
    """
    seed = definition.sampler_seed
    match definition.sampler:
        case "tpe":
            return samplers.TPESampler(seed=seed + place)
        case "gp":
            return samplers.GPSampler(seed=seed + place)
        case "qmc":
            return samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)
        case "cmaes":
            if find_spec("cmaes") is None:
                raise InputError("sampler cmaes needs the package cmaes: pip install cmaes")
            return samplers.CmaEsSampler(seed=seed + place, warn_independent_sampling=False)
        case _:  # random; a grid's trials are in the queue, nothing is drawn
            return samplers.RandomSampler(seed=seed + place)


def make_pruner(definition: Definition, epochs: int) -> pruners.BasePruner:
    """The pruner; a trial's resource is its epochs, over all seeds."""
    match definition.pruner:
        case "median":
            return pruners.MedianPruner(n_startup_trials=FEWEST_TRIALS, n_warmup_steps=epochs // WARM_UP)
        case "hyperband":
            return pruners.HyperbandPruner(max_resource=max(1, epochs * len(definition.seeds)))
        case _:
            return pruners.NopPruner()
