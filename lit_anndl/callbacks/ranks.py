"""What the ranks of data parallelism differ in: their random numbers and their signals."""

import signal
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import distributed


class RankStream(Callback):
    """Gives each rank random numbers of its own, a function of seed and rank, for dropout and noise.

    Until the fit all draw the same, for equal weights and data; rank 0 goes on as a single process does.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seeds the generators of all ranks but the first; the states of a checkpoint come after."""
        if rank := trainer.global_rank:
            (seed,) = np.random.SeedSequence(torch.initial_seed(), spawn_key=(rank,)).generate_state(1, np.uint64)
            torch.manual_seed(int(seed))


class OwnSignals(Callback):
    """Keeps SIGTERM's handler from Lightning's, which waits for other processes that may be waiting for this one."""

    def __init__(self) -> None:
        self.handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts it back."""
        self._put_back(trainer)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts it back."""
        self._put_back(trainer)

    def _put_back(self, trainer: Trainer) -> None:
        if trainer.world_size > 1:
            signal.signal(signal.SIGTERM, self.handler)


def random_states() -> list[dict[str, torch.Tensor]]:
    """The states of the random number generators of all ranks; a common act of theirs."""
    own = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        own["cuda"] = torch.cuda.get_rng_state()
    if not distributed.is_initialized():
        return [own]
    states: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(states, own)
    return states
