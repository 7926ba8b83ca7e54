"""A part of benchmark.py on energy-based models: rbm beside scikit-learn's, same images, units, passes; chains."""

import time
from pathlib import Path

import torch
from contenders import trained
from side_by_side import print_heading, print_row
from sklearn.neural_network import BernoulliRBM
from torch import Tensor

from lit_anndl.data.mnist import MNISTData
from lit_anndl.exercises.generative.rbm import VALIDATED
from lit_anndl.nets.boltzmann import RBM
from lit_anndl.nets.contrastive_divergence import run_chains
from lit_anndl.nets.pseudo_likelihood import exact

_HIDDEN, _RATE = 256, 0.05
_PASSES = 3
_UNITS, _CHAINS, _STEPS = 500, 100, 500
_METRIC = "val/exact_pseudo_likelihood"


def rbm(rounds: int, _: Path) -> None:
    """Batches of 10 and of 100; then the exact pseudo-likelihood that either reaches, nats per image."""
    names = ("ours", "scikit-learn")
    print_heading("rbm, ms/pass", names)
    for batch_size in (10, 100):
        measured = [(_ours(batch_size), _theirs(batch_size)) for _ in range(rounds)]
        seconds = [dict(zip(names, (each[0] for each in pair), strict=True)) for pair in measured]
        print_row(f"batch {batch_size}", names, seconds)
        for name, (_, likelihood) in zip(names, measured[-1], strict=True):
            print(f"  {name}: exact pseudo-likelihood {likelihood:.1f} of validation images after {_PASSES} passes")
    print(f"  {_CHAINS} chains x {_STEPS} steps of {_UNITS} units: {_seconds_of_chains():.1f} s")


def _seconds_of_chains() -> float:
    """Those of Gibbs steps from noise, of a machine whose weights do not matter."""
    machine, noise = RBM(28 * 28, _UNITS), torch.bernoulli(torch.full((_CHAINS, 28 * 28), 0.5))
    start = time.perf_counter()
    run_chains(machine, noise, _STEPS)
    return time.perf_counter() - start


def _ours(batch_size: int) -> tuple[float, float]:
    """Seconds per pass of a fit with everything on, persistent chains as scikit-learn's, and what it reaches."""
    settings = {"model.hidden": _HIDDEN, "model.optimizer.lr": _RATE, "model.persistent": "true"}
    settings |= {"data.batch_size": batch_size, "data.steps_per_execution": 1000 // batch_size}
    seconds, metrics = trained(
        "rbm", _PASSES, *(word for key, value in settings.items() for word in (f"--{key}", str(value)))
    )
    return seconds, metrics[_METRIC]


def _theirs(batch_size: int) -> tuple[float, float]:
    """The same of scikit-learn's, in single precision."""
    data = MNISTData(seed=0)
    data.setup("fit")
    images = data.train[0].flatten(1).numpy()
    machine = BernoulliRBM(_HIDDEN, learning_rate=_RATE, batch_size=batch_size, n_iter=_PASSES, random_state=0)
    start = time.perf_counter()
    machine.fit(images)
    seconds = (time.perf_counter() - start) / _PASSES
    return seconds, float(exact(_as_ours(machine), data.validation[0][:VALIDATED].flatten(1)).mean())


def _as_ours(machine: BernoulliRBM) -> RBM:
    """The same machine."""
    own = RBM(machine.components_.shape[1], _HIDDEN)
    parts = (machine.components_.T, machine.intercept_visible_, machine.intercept_hidden_)
    with torch.no_grad():
        for parameter, values in zip((own.weight, own.visible_bias, own.hidden_bias), parts, strict=True):
            parameter.copy_(Tensor(values))
    return own
