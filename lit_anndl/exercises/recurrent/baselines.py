"""Forecasters from other libraries to compare with: each learns from a series and goes on with it in closed loop."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from reservoirpy.nodes import Reservoir, Ridge

from lit_anndl.data.santafe import ForecastTask
from lit_anndl.nets.rollout import BOUNDS

Values = NDArray[np.float64]

WASHOUT = 50
"""Values that an echo state network only listens to: its state has still to forget how it began."""


class Baseline(ABC):
    """What can be said about the next value of a series, from those before."""

    @abstractmethod
    def fit(self, task: ForecastTask) -> None:
        """Fits to what is known before a task's future, or to its training examples."""

    @abstractmethod
    def warm_up(self, past: Values) -> None:
        """Forgets what it has heard, and hears a past, (L,)."""

    @abstractmethod
    def predict(self) -> float:
        """The next value."""

    @abstractmethod
    def append(self, value: float) -> None:
        """Takes a value for the next one."""

    def closed_loop(self, past: Values, horizon: int) -> Values:
        """The values after a past, each from its own predictions before it: (horizon,)."""
        self.warm_up(past)
        values = []
        for _ in range(horizon):
            values.append(float(np.clip(self.predict(), *BOUNDS)))
            self.append(values[-1])
        return np.array(values)

    def teacher_forced(self, past: Values, future: Values) -> Values:
        """Each of the values after a past, (T,), from the true ones before it."""
        self.warm_up(past)
        values = []
        for true in future:
            values.append(self.predict())
            self.append(float(true))
        return np.array(values)


class Mean(Baseline):
    """The mean of the training values, 0 when they are normalised, goes on."""

    def fit(self, task: ForecastTask) -> None:
        """Takes the mean."""
        self.mean = float(task.values[: task.start].mean())

    def warm_up(self, past: Values) -> None:
        """Needs no past."""

    def predict(self) -> float:
        """The mean."""
        return self.mean

    def append(self, value: float) -> None:
        """Learns nothing from it."""


class Regression(Baseline):
    """A regressor of scikit-learn from windows to the value after them.

    Args:
        regressor: with `fit` and `predict`.
        lag: values in a window.
    """

    def __init__(self, regressor: Any, lag: int) -> None:
        self.regressor = regressor
        self.lag = lag
        self.window = np.zeros(lag)

    def fit(self, task: ForecastTask) -> None:
        """Fits the regressor."""
        examples = task.examples(len(task.usable), self.lag + 1).numpy()
        self.regressor.fit(examples[:, :-1], examples[:, -1])

    def warm_up(self, past: Values) -> None:
        """Keeps the last window."""
        self.window = past[-self.lag :]

    def predict(self) -> float:
        """f(window)."""
        return float(self.regressor.predict(self.window[None])[0])

    def append(self, value: float) -> None:
        """Moves the window on."""
        self.window = np.append(self.window[1:], value)


class EchoState(Baseline):
    """An echo state network with a linear readout by ridge regression (Jaeger & Haas, Science 304, 2004).

    Args:
        reservoir: of reservoirpy.
        alpha: the readout's ridge penalty.
    """

    def __init__(self, reservoir: Reservoir, alpha: float) -> None:
        self.reservoir = reservoir
        self.readout = Ridge(ridge=alpha)
        self.state: Values = np.zeros(0)

    def fit(self, task: ForecastTask) -> None:
        """Fits the readout to the states that the values before the task's future cause."""
        past = task.values[: task.start].numpy()[:, None]
        self.reset_state()
        states = self.reservoir.run(past[:-1])
        self.readout.fit(states[WASHOUT:], past[WASHOUT + 1 :])

    def warm_up(self, past: Values) -> None:
        """Goes through the past."""
        self.reset_state()
        self.state = self.reservoir.run(past[:, None])[-1]

    def predict(self) -> float:
        """The readout."""
        return float(self.readout.step(self.state)[0])

    def append(self, value: float) -> None:
        """Goes on by a value."""
        self.state = self.reservoir.step(np.array([value]))

    def reset_state(self) -> None:
        """Begins from the state zero."""
        if self.reservoir.initialized:
            self.reservoir.reset()
