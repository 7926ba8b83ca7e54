"""Iterating a network from many states at once, until each stands still."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lit_anndl.nets.hopfield import Update


@dataclass(frozen=True)
class Recall:
    """The result of a recall: final states, and how long each took to stand still.

    Args:
        states: (B, N), each as it was when it stood still, or after the last iteration.
        iterations: (B,) int64, updates until a state stood still; the most allowed where it did not.
        converged: (B,) bool.
    """

    states: Tensor
    iterations: Tensor
    converged: Tensor

    def __getitem__(self, chosen: Tensor | int) -> "Recall":
        """That of some of the states, by mask or indices, or of one alone."""
        index = slice(chosen, chosen + 1) if isinstance(chosen, int) else chosen
        return Recall(self.states[index], self.iterations[index], self.converged[index])

    @staticmethod
    def joined(parts: Sequence["Recall"]) -> "Recall":
        """That of several batches as one, on the CPU."""
        columns = zip(*((part.states, part.iterations, part.converged) for part in parts), strict=True)
        return Recall(*(torch.cat(column).cpu() for column in columns))


@torch.no_grad()
def recall(update: Update, states: Tensor, iterations: int, tolerance: float) -> Recall:
    """Updates states (B, N) until no unit of theirs changes by more than the tolerance.

    Each is left as it is then: beside an unstable fixed point, rounding would carry it away again.
    """
    states = states.clone()
    taken = torch.full((len(states),), iterations, device=states.device)
    moving = torch.arange(len(states), device=states.device)
    for iteration in range(iterations):
        before = states[moving]
        after = update(before)
        states[moving] = after
        still = (after - before).abs().amax(dim=1) <= tolerance
        taken[moving[still]] = iteration
        moving = moving[~still]
        if not len(moving):
            break
    converged = torch.ones_like(taken, dtype=torch.bool)
    converged[moving] = False
    return Recall(states, taken, converged)


@torch.no_grad()
def trajectory(update: Update, states: Tensor, iterations: int) -> Tensor:
    """The states before and after each of some updates: (iterations + 1, B, N)."""
    path = [states]
    for _ in range(iterations):
        path.append(update(path[-1]))
    return torch.stack(path)
