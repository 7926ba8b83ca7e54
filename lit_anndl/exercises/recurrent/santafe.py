"""Networks that forecast the Santa Fe laser in closed loop."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from jsonargparse.typing import NonNegativeFloat, PositiveFloat, PositiveInt
from lightning.pytorch.cli import OptimizerCallable
from matplotlib.figure import Figure
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from lit_anndl.data.batches import Batch
from lit_anndl.data.santafe import SantaFeData
from lit_anndl.exercises.recurrent.forecast_results import METRICS, Forecasts, fold_metrics
from lit_anndl.modules.exercise import Metrics
from lit_anndl.modules.gradient import GradientExercise
from lit_anndl.nets.forecaster import Forecaster
from lit_anndl.nets.lstm_backpropagation import LSTMStepBackpropagation
from lit_anndl.nets.population import Activation, Population, PopulationLSTM, PopulationMLP
from lit_anndl.plots.learning import curves
from lit_anndl.runtime.errors import InputError
from lit_anndl.runtime.records import History, Table


class SantaFe(GradientExercise[SantaFeData]):
    """Least squares by one network per fold and origin (times the members of an ensemble), all trained at once.

    They learn nothing from each other, but for what looks at all parameters at once, L-BFGS and a bound on the norm of
    gradients; what they start from depends on the seed and on how many there are. An mlp has
    one hidden layer over a window of past values. An lstm is fed with a window per step, and its state goes through the
    whole series; gradients go back through the `data.batch_size` windows of an optimizer step.

    Metrics: `train/mse`, over all networks, of the normalised values, with whatever noise there is. Over the folds,
    whose values the ensemble's mean predicts: `val/mse`, the mean squared error from true values; in closed loop
    `val/nmse`, the mean of MSE / variance; `val/log_mse` and `val/log_nmse`, the means of their decimal logarithms, in
    which all folds count alike (an arithmetic mean is mostly the error of the fold that learns from least). For each
    fold `val/mse_1` … and `val/nmse_1` …. In closed loop from the first origin, `test/mse` in the series' units and
    `test/nmse`; over all origins `test/nmse_median`, `test/nmse_mean`, and the quartiles `test/nmse_lower` and
    `test/nmse_upper`.

    Args:
        optimizer: a class of torch.optim with its arguments.
        network: mlp or lstm.
        hidden: units.
        activation: what those of an mlp apply.
        gain: of their initial weights, 1 for torch's own; larger ones start from functions that vary faster.
        members: networks per fold and origin, whose forecasts are averaged.
        jitter: standard deviation of the noise on the windows in training, in that of the series.
        anneal: whether the learning rate falls to zero along half a cosine over the epochs, whose number
            cannot grow then.

    Raises:
        InputError: for a network with a state, windows in random order, several steps ahead, or folds in blocks.
    """

    metric_names = ("mse",)
    net: Forecaster

    def __init__(
        self,
        optimizer: OptimizerCallable,
        network: Literal["mlp", "lstm"] = "mlp",
        hidden: PositiveInt = 50,
        activation: Activation = "tanh",
        gain: PositiveFloat = 1.0,
        members: PositiveInt = 1,
        jitter: NonNegativeFloat = 0.0,
        anneal: bool = False,
    ) -> None:
        super().__init__(optimizer)
        self.network = network
        self.hidden = hidden
        self.activation: Activation = activation
        self.gain = gain
        self.members = members
        self.jitter = jitter
        self.anneal = anneal

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """Those of training, over the folds, and over the origins."""
        return METRICS

    def build(self, data: SantaFeData) -> None:
        """Makes the networks, those of the folds first; keeps the data, whose units forecasts are told in."""
        self.data = data
        sizes = {"folds": data.folds, "origins": len(data.origins), "lag": data.lag, "steps_ahead": data.steps_ahead}
        self.sizes = {name: int(size) for name, size in sizes.items()}  # plain numbers, for checkpoints
        self.make_networks(**self.sizes)
        if self.network == "lstm" and data.batch_size == 1:
            self.backpropagate = LSTMStepBackpropagation(self.net)

    def make_networks(self, folds: int, origins: int, lag: int, steps_ahead: int) -> None:
        """One for each fold and origin, for windows of `lag` values."""
        size = self.members * (folds + origins)
        self.net = Forecaster(self.population(size, lag), self.members, steps_ahead, self.jitter)

    def population(self, size: int, lag: int) -> Population:
        """So many networks for windows of so many values."""
        if self.network == "lstm":
            return PopulationLSTM(size, lag, self.hidden)
        return PopulationMLP(size, lag, self.hidden, self.activation, self.gain)

    def check(self, data: SantaFeData) -> None:
        """Refuses data that a network with a state makes no sense of."""
        if self.network != "lstm":
            return
        if data.shuffle:
            raise InputError("data.shuffle true was given, expected false: a state goes through windows in their order")
        if data.folding == "blocks":
            raise InputError("data.folding blocks was given, expected expanding: a state cannot jump over a block")
        if data.steps_ahead > 1:
            raise InputError(f"data.steps_ahead {data.steps_ahead} was given, expected 1 for networks with a state")

    @classmethod
    def tied_to_epochs(cls, arguments: Mapping[str, Any]) -> str | None:
        """A learning rate that has fallen to zero by the last epoch has none for more."""
        return "model.anneal" if arguments.get("anneal") else None

    def measure(self, outputs: Tensor, batch: Batch) -> Metrics:
        """The mean squared error over windows, networks and steps."""
        targets = batch[1].repeat_interleave(self.members, dim=1)
        return {"mse": (outputs - targets).square().mean()}

    def loss(self, metrics: Metrics) -> Tensor:
        """The sum of the networks' errors, so that each trains as it would alone, but for L-BFGS."""
        total: Tensor = self.net.net.population * metrics["mse"]
        return total

    def make_optimizers(self) -> Any:
        """The optimizer, and the fall of its learning rate."""
        optimizer = super().make_optimizers()
        return {"optimizer": optimizer, "lr_scheduler": LambdaLR(optimizer, self.rate)} if self.anneal else optimizer

    def rate(self, epoch: int) -> float:
        """What is left of the learning rate after some epochs; at first there is no trainer that knows how many."""
        return 0.5 * (1 + math.cos(math.pi * epoch / (self.trainer.max_epochs or 1))) if epoch else 1.0

    def on_train_epoch_start(self) -> None:
        """Begins the series anew."""
        self.net.reset_state()

    def evaluate_batch(self, batch: Batch, stage: str) -> Metrics:
        """The folds' errors; the origins', whose normalised forecasts (O, M, T) are kept."""
        past, lengths, future = batch
        first = self.sizes["folds"] if stage == "test" else 0
        teacher_forced, closed_loop = self.net.forecast(past, lengths, future, self.sizes["lag"], first)
        if stage == "val":
            return fold_metrics(teacher_forced.mean(dim=1), closed_loop.mean(dim=1), future)
        self.test_outputs.append(closed_loop.double().cpu())
        return self.forecasts(self.data).metrics()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Notes how many networks of which size there are, too."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["sizes"] = self.sizes

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Makes the networks, where no data have told how many there are."""
        if "net" not in self._modules:
            self.sizes = checkpoint["sizes"]
            self.make_networks(**self.sizes)
        super().on_load_checkpoint(checkpoint)

    def forecasts(self, data: SantaFeData) -> Forecasts:
        """The tested forecasts."""
        return Forecasts.of(data, torch.cat(self.test_outputs).numpy())

    def tables(self, data: SantaFeData) -> Iterator[tuple[str, Table]]:
        """Parameters, the first forecast, the origins' errors."""
        yield from super().tables(data)
        yield from self.forecasts(data).tables().items()

    def figures(self, data: SantaFeData, history: History) -> Iterator[tuple[str, Figure]]:
        """Learning curves, the first forecast, the origins' errors."""
        yield "curves", curves(history, ["train/mse", "val/mse"], "mean squared error, normalised", log=True)
        yield from self.forecasts(data).figures().items()
