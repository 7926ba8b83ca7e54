"""How trials are chosen, and which are given up: Optuna's algorithms by the names of study files."""

from importlib.util import find_spec

from optuna import pruners, samplers

from lit_anndl.runtime.errors import InputError
from lit_anndl.studies.definition import Definition
from lit_anndl.studies.space import examples
from lit_anndl.studies.trial import configure

_FEWEST_TRIALS = 5
"""Trials that the median is taken over, before it prunes."""

_WARM_UP = 10
"""The median prunes nothing in the first tenth of a run."""


def make_sampler(definition: Definition, place: int) -> samplers.BaseSampler:
    """The sampler of one trial, seeded by its place in the study: whichever worker takes a place draws the same.

    Raises:
        InputError: the package that it needs is not installed.
    """
    seed = definition.sampler_seed
    match "random" if definition.rows else definition.sampler:
        case "tpe":
            return samplers.TPESampler(seed=seed + place)
        case "gp":
            return samplers.GPSampler(seed=seed + place)
        case "qmc":
            independent = samplers.RandomSampler(seed=seed + place)  # of what the sequence does not have
            return samplers.QMCSampler(
                seed=seed, scramble=True, independent_sampler=independent, warn_independent_sampling=False
            )
        case "cmaes":
            if find_spec("cmaes") is None:
                raise InputError("sampler cmaes needs the package cmaes: pip install cmaes")
            return samplers.CmaEsSampler(seed=seed + place, warn_independent_sampling=False)
        case _:  # random; the trials of a grid and of rows are in the queue, nothing is drawn
            return samplers.RandomSampler(seed=seed + place)


def make_pruner(definition: Definition) -> pruners.BasePruner:
    """The pruner; a trial's resource is its epochs, over all seeds.

    Raises:
        InputError: the runs have no number of epochs.
    """
    if definition.pruner == "none":
        return pruners.NopPruner()
    settings = next(examples(definition.domains))
    epochs = configure(definition, settings, definition.seeds[0]).epochs
    if epochs is None or epochs < 1:
        raise InputError(f"pruner {definition.pruner} needs a number of epochs: trainer.max_epochs is {epochs}")
    match definition.pruner:
        case "median":
            return pruners.MedianPruner(n_startup_trials=_FEWEST_TRIALS, n_warmup_steps=epochs // _WARM_UP)
        case "hyperband":
            return pruners.HyperbandPruner(max_resource=epochs * len(definition.seeds))
    raise AssertionError(definition.pruner)
