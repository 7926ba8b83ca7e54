"""Parts of benchmark.py on recurrent networks: one batched call against a loop over states or series."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from lit_anndl.data.digit_patterns import DigitPatternData
from lit_anndl.data.santafe import SantaFeData
from lit_anndl.nets.hopfield import Hopfield, lssm
from lit_anndl.nets.population import PopulationMLP
from lit_anndl.nets.rollout import rollout

STATES, ITERATIONS = 10_000, 20
LOOPED = 500
"""States that the loop over states is timed on; its seconds are extrapolated to all."""
ORIGINS, HORIZON, LAG, HIDDEN = 90, 100, 50, 100


def hopfield(rounds: int, _: Path) -> None:
    """Seconds for 20 iterations of 10 000 noisy digits in a network of 784 units."""
    data = DigitPatternData(noise=[1.5], draws=STATES // 10, seed=0)
    data.setup("fit")
    (patterns,), (states, _, _) = data.train, data.test
    net = Hopfield(patterns.shape[1])
    net.store(*lssm(patterns))
    weights, bias, loose = net.weights.numpy(), net.bias.numpy(), states.numpy()

    @torch.no_grad()
    def batched() -> None:
        recalled = states
        for _ in range(ITERATIONS):
            recalled = net(recalled)

    def looped() -> None:
        for state in loose[:LOOPED]:
            for _ in range(ITERATIONS):
                state = np.clip(weights @ state + bias, -1, 1)

    print_ratio("hopfield", rounds, batched, looped, STATES / LOOPED, "NumPy loop over states")


def santafe(rounds: int, _: Path) -> None:
    """Seconds for the closed loops of 90 origins, each with a network of its own; on one thread, as in a fit."""
    data = SantaFeData(LAG, folds=0, origins=ORIGINS)
    data.setup("fit")
    windows = data.test[0][:, -LAG:].float()
    net = PopulationMLP(ORIGINS, LAG, HIDDEN)

    @torch.no_grad()
    def batched() -> None:
        rollout(net, windows, HORIZON)

    @torch.no_grad()
    def looped() -> None:
        for number in range(ORIGINS):
            rollout(net, windows[number, None], HORIZON, chosen=slice(number, number + 1))

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    print_ratio("santafe", rounds, batched, looped, 1, "loop over origins")
    torch.set_num_threads(threads)


def print_ratio(
    label: str, rounds: int, ours: Callable[[], None], theirs: Callable[[], None], factor: float, name: str
) -> None:
    """Medians over interleaved rounds, of the seconds and of the ratio within a round."""
    ours()
    pairs = [(seconds(ours), factor * seconds(theirs)) for _ in range(rounds)]
    first, second = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(theirs / ours for ours, theirs in pairs)
    print(f"{label:12} {first:8.3f} s batched {second:8.2f} s {name} {ratio:8.1f} × ours", flush=True)


def seconds(work: Callable[[], None]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
