"""What can be seen of deep Boltzmann machines: learning curves, weights and activity."""

from collections.abc import Iterator, Mapping

from matplotlib.figure import Figure

from lit_anndl.exercises.generative import boltzmann_figures
from lit_anndl.nets.deep_boltzmann import DBM, States
from lit_anndl.plots.learning import curves
from lit_anndl.runtime.records import History

_CURVES = {
    "reconstruction": "mean squared error per unit",
    "free_energy": "variational free energy [nats]",
    "loss": "cross-entropy [nats]",
    "accuracy": "accuracy",
}


def learning_curves(history: History, starts: Mapping[str, int]) -> Iterator[tuple[str, Figure]]:
    """Metrics by epoch, those that were logged, with the first epoch of each phase."""
    for name, ylabel in _CURVES.items():
        if logged := [each for each in (f"train/{name}", f"val/{name}") if each in history]:
            yield name, curves(history, logged, ylabel, log=name == "loss", phases=starts)


def distributions(dbm: DBM, means: States) -> Figure:
    """Weights, and how active hidden units are, by their means inferred from test images."""
    parts = {
        "weights W₁": dbm.lower,
        "weights W₂": dbm.upper,
        "mean μ₁ of each hidden unit": means.first.mean(dim=0),
        "mean μ₂ of each hidden unit": means.second.mean(dim=0),
    }
    return boltzmann_figures.distributions(parts, "weights, and inferred activity on test images")
