"""Closed loop: a forecaster fed with its own predictions."""

import torch
from torch import Tensor

from lit_anndl.nets.population import Population, State

BOUNDS = (-3.0, 6.0)
"""Between which a normalised series is kept: the laser's own values lie within -1.3 and 4.2."""


def rollout(
    net: Population,
    window: Tensor,
    horizon: int,
    *,
    state: State | None = None,
    chosen: slice | None = None,
    bounds: tuple[float, float] = (-float("inf"), float("inf")),
) -> Tensor:
    """The next values of P series: x̂(t+1) = f(x̂(t-lag+1), …, x̂(t)), all series at once.

    Args:
        net: f, for each series its own.
        window: (P, lag), the last known values.
        horizon: T.
        state: of a recurrent network after all windows before this one.
        chosen: those of the population that the series are for.
        bounds: predictions are clipped to them; a loop that has gone astray stays finite.

    Returns: (P, T).
    """
    values = []
    for _ in range(horizon):
        prediction, state = net(window.unsqueeze(0), state, chosen)
        value = prediction[0].clamp(*bounds)
        values.append(value)
        window = torch.cat([window[:, 1:], value.unsqueeze(1)], dim=1)
    return torch.stack(values, dim=1)


def warm_up(net: Population, past: Tensor, lengths: Tensor, lag: int, chosen: slice | None = None) -> State | None:
    """The state of a network that has seen all windows of its series' past but the last, one after the other.

    Args:
        net: whose state; None without one.
        past: (P, L), aligned at their ends.
        lengths: (P,), how many values at the end are the series' own.
        lag: length of a window.
        chosen: those of the population that the series are for.
    """
    state = net.initial_state(chosen)
    if state is None:
        return None
    windows = past.unfold(1, lag, 1).transpose(0, 1)[:-1]  # (L - lag, P, lag)
    for number, window in enumerate(windows):
        _, state = net(window.unsqueeze(0), state, chosen)
        begun = (number >= past.shape[1] - lengths).unsqueeze(1).to(past)
        state = (state[0] * begun, state[1] * begun)
    return state
