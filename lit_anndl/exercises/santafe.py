"""The Santa Fe laser forecast as well as we can: an ensemble that learns its own frequencies (beyond exercise 2.2)."""

from typing import Literal

from jsonargparse.typing import NonNegativeFloat, PositiveFloat, PositiveInt
from lightning.pytorch.cli import OptimizerCallable

from lit_anndl.exercises.shared.forecasting import Forecasting
from lit_anndl.nets.population import Population, PopulationLSTM, PopulationMLP, Wave


class SantaFe(Forecasting):
    """Sinusoidal units over short windows, trained several steps ahead with noise, averaged over an ensemble.

    With other settings it is what the other exercises on this series are, so that a study can compare them.

    Args:
        optimizer: a class of torch.optim with its arguments.
        network: mlp, one hidden layer; or lstm.
        hidden: units.
        activation: what those of the mlp apply.
        gain: of their initial weights, 1 for torch's own; larger ones start from functions that vary faster.
        members: networks per fold and origin, whose forecasts are averaged.
        jitter: standard deviation of the noise on the windows in training, in that of the series.
        anneal: whether the learning rate falls to zero along half a cosine over the epochs, whose number
            cannot grow then.
    """

    def __init__(
        self,
        optimizer: OptimizerCallable,
        network: Literal["mlp", "lstm"] = "mlp",
        hidden: PositiveInt = 400,
        activation: Wave = "sin",
        gain: PositiveFloat = 2.0,
        members: PositiveInt = 5,
        jitter: NonNegativeFloat = 0.02,
        anneal: bool = True,
    ) -> None:
        super().__init__(optimizer, members, jitter, anneal)
        self.network = network
        self.hidden = hidden
        self.activation: Wave = activation
        self.gain = gain

    def population(self, size: int, lag: int) -> Population:
        """So many networks."""
        if self.network == "lstm":
            return PopulationLSTM(size, lag, self.hidden)
        return PopulationMLP(size, lag, self.hidden, self.activation, self.gain)
