"""The Santa Fe laser forecast in closed loop by long short-term memory (exercise 2.2)."""

from jsonargparse.typing import NonNegativeFloat, PositiveInt
from lightning.pytorch.cli import OptimizerCallable

from lit_anndl.exercises.shared.forecasting import Forecasting
from lit_anndl.nets.population import PopulationLSTM


class SantaFeLSTM(Forecasting):
    """One layer of LSTM units, fed with a window of past values per step; its state goes through the whole series.

    Gradients go back through the `data.batch_size` windows of an optimizer step; the state goes on.

    Args:
        optimizer: a class of torch.optim with its arguments.
        hidden: units.
        members: networks per fold and origin, whose forecasts are averaged.
        jitter: standard deviation of the noise on the windows in training, in that of the series.
        anneal: whether the learning rate falls to zero along half a cosine over the epochs, whose number
            cannot grow then.
    """

    def __init__(
        self,
        optimizer: OptimizerCallable,
        hidden: PositiveInt = 50,
        members: PositiveInt = 1,
        jitter: NonNegativeFloat = 0.0,
        anneal: bool = False,
    ) -> None:
        super().__init__(optimizer, members, jitter, anneal)
        self.hidden = hidden

    def population(self, size: int, lag: int) -> PopulationLSTM:
        """So many networks."""
        return PopulationLSTM(size, lag, self.hidden)
