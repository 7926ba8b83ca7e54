"""The Santa Fe laser forecast in closed loop by a multilayer perceptron (exercise 2.2)."""

from jsonargparse.typing import NonNegativeFloat, PositiveFloat, PositiveInt
from lightning.pytorch.cli import OptimizerCallable

from lit_anndl.exercises.shared.forecasting import Forecasting
from lit_anndl.nets.population import PopulationMLP, Wave


class SantaFeMLP(Forecasting):
    """One hidden layer over a window of past values.

    Args:
        optimizer: a class of torch.optim with its arguments.
        hidden: units in the hidden layer.
        activation: what they apply.
        gain: of their initial weights, 1 for torch's own; larger ones start from functions that vary faster.
        members: networks per fold and origin, whose forecasts are averaged.
        jitter: standard deviation of the noise on the windows in training, in that of the series.
        anneal: whether the learning rate falls to zero along half a cosine over the epochs, whose number
            cannot grow then.
    """

    def __init__(
        self,
        optimizer: OptimizerCallable,
        hidden: PositiveInt = 50,
        activation: Wave = "tanh",
        gain: PositiveFloat = 1.0,
        members: PositiveInt = 1,
        jitter: NonNegativeFloat = 0.0,
        anneal: bool = False,
    ) -> None:
        super().__init__(optimizer, members, jitter, anneal)
        self.hidden = hidden
        self.activation: Wave = activation
        self.gain = gain

    def population(self, size: int, lag: int) -> PopulationMLP:
        """So many perceptrons."""
        return PopulationMLP(size, lag, self.hidden, self.activation, self.gain)
