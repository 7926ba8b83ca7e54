"""A small model for a small data set: fit a noisy surface with a 2-h-h-1 network (exercise 1.3)."""

from collections.abc import Iterator

import torch
from jsonargparse.typing import PositiveInt
from lightning.pytorch import LightningDataModule
from lightning.pytorch.cli import OptimizerCallable
from matplotlib.figure import Figure
from torch import Tensor

from lit_anndl import plots
from lit_anndl.data.surface import EXTENT, SurfaceData
from lit_anndl.nets.backpropagation import SquaredErrorBackpropagation
from lit_anndl.nets.mlp import MLP
from lit_anndl.training.exercise import History
from lit_anndl.training.module import SupervisedModule


class Surface(SupervisedModule):
    """Least squares by a ReLU network of two hidden layers.

    Metrics: `train/mse` against the noisy values; `val/mse` on held-out noisy values, if any; `test/mse` against
    the clean surface.

    Args:
        hidden: units in each of the two hidden layers.
        optimizer: a class of torch.optim with its arguments.
    """

    measures = ("mse",)

    def __init__(self, optimizer: OptimizerCallable, hidden: PositiveInt = 50) -> None:
        net = MLP((2, hidden, hidden, 1))
        backpropagate = SquaredErrorBackpropagation(net)
        super().__init__(net, optimizer, lambda inputs, targets: {"mse": backpropagate(inputs, targets)})

    def measure(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The mean squared error."""
        return {"mse": torch.nn.functional.mse_loss(outputs, targets)}

    def figures(self, data: LightningDataModule, history: History) -> Iterator[tuple[str, Figure]]:
        """Training curve, the surfaces side by side, squared residuals."""
        assert isinstance(data, SurfaceData)
        shape = (data.grid_size, data.grid_size)
        clean, noisy, fit = (z.view(shape).numpy() for z in (data.test[1], data.noisy, torch.cat(self.test_outputs)))
        yield "curves", plots.curves(history, ["train/mse", "val/mse"], "mean squared error", log=True)
        yield "surfaces", plots.surfaces({"clean": clean, f"noisy (σ = {data.noise:g})": noisy, "fit": fit}, EXTENT)
        yield "squared_residuals", plots.heatmap((fit - clean) ** 2, EXTENT, "(fit – clean surface)²")
