"""Networks that forecast a series in closed loop: what the exercises on the Santa Fe laser share."""

import math
from abc import abstractmethod
from collections.abc import Iterator

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lit_anndl.data.santafe import SantaFeData
from lit_anndl.errors import InputError, RunFailure
from lit_anndl.exercises.shared.forecasts import TEST_METRICS, VALIDATION_METRICS, Forecasts, fold_metrics
from lit_anndl.nets.forecaster import Forecaster
from lit_anndl.nets.lstm_backpropagation import LSTMStepBackpropagation
from lit_anndl.nets.population import Population, PopulationLSTM
from lit_anndl.plots.learning import curves
from lit_anndl.training.batches import Batch
from lit_anndl.training.exercise import History, Table
from lit_anndl.training.module import Differentiate, Measures, SupervisedModule


class Forecasting(SupervisedModule):
    """Least squares by one network per fold and origin (times the members of an ensemble), all trained at once.

    They learn nothing from each other; what they start from depends on the seed and on how many there are.

    Metrics: `train/mse`, over all networks, of the normalised values, with whatever noise there is. Over the folds,
    whose values the ensemble's mean predicts: `val/mse`, the mean squared error from true values; in closed loop
    `val/nmse`, the mean of MSE / variance; `val/log_mse` and `val/log_nmse`, the means of their decimal logarithms, in
    which all folds count alike (an arithmetic mean is mostly the error of the fold that learns from least). For each
    fold `val/mse_1` … and `val/nmse_1` …. In closed loop from the first origin, `test/mse` in the series' units and
    `test/nmse`; over all origins `test/nmse_median`, `test/nmse_mean`, and the quartiles `test/nmse_lower` and
    `test/nmse_upper`.

    Args:
        optimizer: a class of torch.optim with its arguments.
        members: networks per fold and origin, whose forecasts are averaged.
        jitter: standard deviation of the noise on the windows in training.
        anneal: whether the learning rate falls to zero along half a cosine over the epochs, whose number
            cannot grow then.

    Raises:
        InputError: for a network with a state, windows in random order, several steps ahead, or folds in blocks.
    """

    measures = ("mse",)
    net: Forecaster

    def __init__(self, optimizer: OptimizerCallable, members: int, jitter: float, anneal: bool) -> None:
        super().__init__(nn.Identity(), optimizer)
        self.members = members
        self.jitter = jitter
        self.anneal = anneal

    @classmethod
    def metrics(cls) -> tuple[str, ...]:
        """Those of training, over the folds, and over the origins."""
        return ("train/mse", *VALIDATION_METRICS, *TEST_METRICS)

    @abstractmethod
    def population(self, size: int, lag: int) -> Population:
        """So many networks for windows of so many values."""

    def build(self, data: LightningDataModule) -> None:
        """Makes the networks, those of the folds first."""
        assert isinstance(data, SantaFeData)
        size = self.members * (data.folds + len(data.origins))
        self.net = Forecaster(self.population(size, data.lag), self.members, data.steps_ahead, self.jitter)
        if isinstance(self.net.net, PopulationLSTM) and data.batch_size == 1:
            self.backpropagate = self.written_out(LSTMStepBackpropagation(self.net))
        self.lag = data.lag
        self.first_origin = data.folds

    def written_out(self, backpropagate: LSTMStepBackpropagation) -> Differentiate:
        """Backpropagation without automatic differentiation."""

        def differentiate(windows: Tensor, targets: Tensor) -> tuple[Tensor, Measures]:
            measures = {"mse": backpropagate(windows, targets)}
            return self.objective(measures), measures

        return differentiate

    def check(self, data: LightningDataModule) -> None:
        """Refuses data that a network with a state makes no sense of."""
        assert isinstance(data, SantaFeData)
        if not isinstance(self.net.net, PopulationLSTM):
            return
        if data.shuffle:
            raise InputError("data.shuffle true was given, expected false: a state goes through windows in their order")
        if data.folding == "blocks":
            raise InputError("data.folding blocks was given, expected expanding: a state cannot jump over a block")
        if data.steps_ahead > 1:
            raise InputError(f"data.steps_ahead {data.steps_ahead} was given, expected 1 for networks with a state")

    def measure(self, outputs: Tensor, targets: Tensor) -> Measures:
        """The mean squared error over windows, networks and steps."""
        targets = targets.repeat_interleave(self.members, dim=1)
        return {"mse": (outputs - targets).square().mean()}

    def objective(self, measures: Measures) -> Tensor:
        """The sum of the networks' errors, so that each trains as it would alone, but for L-BFGS."""
        total: Tensor = self.net.net.population * measures["mse"]
        return total

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer, and the fall of its learning rate."""
        optimizer = super().configure_optimizers()
        if not self.anneal:
            return optimizer
        assert isinstance(optimizer, Optimizer)
        return {"optimizer": optimizer, "lr_scheduler": LambdaLR(optimizer, self.rate)}

    def rate(self, epoch: int) -> float:
        """What is left of the learning rate after some epochs; at first there is no trainer that knows how many."""
        return 0.5 * (1 + math.cos(math.pi * epoch / (self.trainer.max_epochs or 1))) if epoch else 1.0

    def on_fit_start(self) -> None:
        """Refuses to lower the learning rate towards an end that is not known."""
        if self.anneal and (self.trainer.max_epochs or 0) < 1:
            raise RunFailure(f"model.anneal needs a number of epochs: trainer.max_epochs is {self.trainer.max_epochs}")

    def on_train_epoch_start(self) -> None:
        """Begins the series anew."""
        self.net.forget()

    def on_train_epoch_end(self) -> None:
        """Lowers the learning rate."""
        super().on_train_epoch_end()
        if self.anneal:
            schedule = self.lr_schedulers()
            assert isinstance(schedule, LambdaLR)
            schedule.step()

    def validation_step(self, batch: Batch, _: int) -> None:
        """Logs the folds' errors."""
        past, lengths, future = batch
        guided, free = self.net.forecast(past, lengths, future, self.lag)
        self.log_dict(fold_metrics(guided.mean(dim=1), free.mean(dim=1), future))

    def test_step(self, batch: Batch, _: int) -> None:
        """Keeps the forecasts (O, M, T), normalised."""
        past, lengths, future = batch
        free = self.net.forecast(past, lengths, future, self.lag, self.first_origin)[1]
        self.test_outputs.append(free.double().cpu())
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it
        self.log_dict(self.forecasts(data).metrics())

    def forecasts(self, data: LightningDataModule) -> Forecasts:
        """The tested forecasts."""
        assert isinstance(data, SantaFeData)
        return Forecasts.of(data, torch.cat(self.test_outputs).numpy())

    def tables(self, data: LightningDataModule) -> Iterator[tuple[str, Table]]:
        """Parameters, the first forecast, the origins' errors."""
        yield from super().tables(data)
        yield from self.forecasts(data).tables().items()

    def figures(self, data: LightningDataModule, history: History) -> Iterator[tuple[str, Figure]]:
        """Learning curves, the first forecast, the origins' errors."""
        yield "curves", curves(history, ["train/mse", "val/mse"], "mean squared error, normalised", log=True)
        yield from self.forecasts(data).figures().items()
