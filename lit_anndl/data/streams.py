"""Independent streams of random numbers from the one seed of a run.

torch's own generator, seeded with the run's seed, draws initial weights and dropout. Whatever else is drawn has a
stream of its own, spread from the same seed by NumPy's SeedSequence, so that the noise of a data set is not that of
the weights.
"""

from zlib import crc32

import numpy as np
import torch

DRAWN = 1
"""How data are drawn from a seed; another number where the same seed gives other data."""


def random_state(*entropy: int) -> int:
    """The seed of a generator, a function of some numbers."""
    (state,) = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
    return int(state)


def stream(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator, a function of a seed and of what it is for."""
    return torch.Generator(device).manual_seed(random_state(seed, crc32(purpose.encode())))
