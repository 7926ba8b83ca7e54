"""The noisy surface z = f(x, y), a small data set for small nets."""

import torch
from jsonargparse.typing import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor

from lit_anndl.data.batches import TensorBatches
from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.runtime.errors import InputError

EXTENT = 3.0


def surface(points: Tensor) -> Tensor:
    """f(x, y) = sin(0.8 r²) / (r²)^0.9 with r² = x² + y², and its limit 0 at the origin.

    Shapes: (…, 2) → (…, 1).
    """
    squared_radius = points.square().sum(dim=-1, keepdim=True)
    at_origin = squared_radius == 0
    safe = squared_radius.masked_fill(at_origin, 1.0)
    return (torch.sin(0.8 * safe) / safe**0.9).masked_fill(at_origin, 0.0)


def grid(size: int) -> Tensor:
    """The points of a regular size×size grid over [-3, 3]², x varying slowest: (size², 2)."""
    axis = torch.linspace(-EXTENT, EXTENT, size)
    return torch.cartesian_prod(axis, axis)


class SurfaceData(InMemoryData):
    """Regression of the surface from a grid of noisy values; the clean surface on the same grid is the test target.

    Training targets: f(x, y) + noise · N(0, 1).

    Args:
        noise: standard deviation of the noise.
        grid_size: points per axis; 40 gives the course's 1600.
        validation_size: grid points, drawn at random, that are held out of training (with their noisy values).
        batch_size: training points per optimizer step.
        steps_per_execution: optimizer steps handed to one training step, null for a whole epoch.
        seed: of the noise and of the held-out points, null for the run's seed.
        resamples: bootstrap samples of the training points, one for each member of an ensemble; 0 for none.
        earlier_noise: of surfaces that are trained on before, one after the other; the weights are carried on.
        epochs_of_earlier: epochs on each of these.

    Raises:
        InputError: nothing is left to train on; earlier noise without epochs, or with bootstrap samples.
    """

    def __init__(
        self,
        noise: NonNegativeFloat = 0.1,
        grid_size: PositiveInt = 40,
        validation_size: NonNegativeInt = 0,
        batch_size: PositiveInt = 400,
        steps_per_execution: PositiveInt | None = None,
        seed: NonNegativeInt | None = None,
        resamples: NonNegativeInt = 0,
        earlier_noise: list[NonNegativeFloat] = [],  # noqa: B006  # jsonargparse shows it
        epochs_of_earlier: NonNegativeInt = 0,
    ) -> None:
        super().__init__(batch_size, steps_per_execution, seed, resamples)
        if validation_size >= grid_size**2:
            raise InputError(
                f"data.validation_size {validation_size} leaves nothing to train on: the grid has {grid_size**2} points"
            )
        if earlier_noise and (resamples or not epochs_of_earlier):
            raise InputError(
                f"data.earlier_noise {earlier_noise} was given with data.epochs_of_earlier {epochs_of_earlier} and "
                f"data.resamples {resamples}; expected 1 or more epochs, and no bootstrap samples"
            )
        self.noise = noise
        self.earlier_noise = earlier_noise
        self.epochs_of_earlier = epochs_of_earlier
        self.epochs_before = epochs_of_earlier * len(earlier_noise)
        self.grid_size = grid_size
        self.validation_size = validation_size

    def setup(self, stage: str) -> None:
        """Generates grid, noise and split."""
        points = grid(self.grid_size)
        clean = surface(points)
        noisy = clean + self.noise * torch.randn(clean.shape, generator=self.stream("noise"))
        chosen = torch.randperm(len(points), generator=self.stream("split"))
        held_out, kept = chosen[: self.validation_size], chosen[self.validation_size :].sort().values
        self.train = (points[kept], noisy[kept])
        self.validation = (points[held_out], noisy[held_out]) if self.validation_size else ()
        self.test = (points, clean)
        self.noisy = noisy
        earlier = self.stream("earlier noise")
        self.earlier = [clean + noise * torch.randn(clean.shape, generator=earlier) for noise in self.earlier_noise]
        self.kept = kept

    def begins_surface(self, epoch: int) -> bool:
        """Whether another surface is trained on from an epoch on."""
        return bool(self.earlier_noise) and epoch in [
            self.epochs_of_earlier * number for number in range(1, len(self.earlier_noise) + 1)
        ]

    def train_dataloader(self) -> TensorBatches:
        """The training batches, of the earlier surfaces first."""
        batches = super().train_dataloader()
        if not self.earlier:
            return batches
        points, _ = self.train
        surfaces = [self._on_device((points, values[self.kept])) for values in self.earlier] + [batches.tensors]
        batches.tensors_of = lambda epoch: surfaces[min(epoch // self.epochs_of_earlier, len(self.earlier))]
        return batches
