"""Populations of forecasters in training: noise on their inputs, several steps ahead in closed loop."""

import torch
from torch import Tensor, nn

from lit_anndl.nets.noise import GaussianNoise
from lit_anndl.nets.population import Population, State
from lit_anndl.nets.rollout import BOUNDS, rollout, warm_up


class Forecaster(nn.Module):
    """A population of networks that learns from windows, M members for each of P series.

    In training every member sees its series' windows with noise of its own, and predicts several steps, each from
    the predictions before it; gradients flow through them (backpropagation through time; Werbos 1990).

    Args:
        net: the population of P × M networks, the members of a series next to each other.
        members: M.
        steps_ahead: K.
        jitter: standard deviation of the noise on the windows.
        bounds: between which the values of a closed loop are kept.

    Shapes: windows (B, P, lag) → predictions (B, P × M, K), the m-th member of series p in column pM + m.
    """

    def __init__(
        self,
        net: Population,
        members: int = 1,
        steps_ahead: int = 1,
        jitter: float = 0.0,
        bounds: tuple[float, float] = BOUNDS,
    ) -> None:
        super().__init__()
        self.net = net
        self.members = members
        self.steps_ahead = steps_ahead
        self.noise = GaussianNoise(jitter) if jitter else nn.Identity()
        self.bounds = bounds
        self.state: State | None = None

    def forward(self, windows: Tensor) -> Tensor:
        """The predictions; a recurrent network goes on from the state that the windows before have left."""
        windows = self.spread(windows)
        predictions, state = self.net(windows, self.state)
        self.state = (state[0].detach(), state[1].detach()) if state else None
        steps = [predictions]
        for _ in range(1, self.steps_ahead):
            windows = torch.cat([windows[..., 1:], steps[-1].unsqueeze(-1)], dim=-1)
            steps.append(self.net(windows)[0])
        return torch.stack(steps, dim=-1)

    def spread(self, windows: Tensor) -> Tensor:
        """The windows of each member, with noise of its own in training: (B, P, lag) → (B, P × M, lag)."""
        noisy: Tensor = self.noise(windows.repeat_interleave(self.members, dim=1))
        return noisy

    def reset_state(self) -> None:
        """Begins the next sequence with no state."""
        self.state = None

    @torch.no_grad()
    def forecast(
        self, past: Tensor, lengths: Tensor, future: Tensor, lag: int, first: int = 0
    ) -> tuple[Tensor, Tensor]:
        """What the members say about P series' futures.

        Args:
            past: (P, L), aligned at their ends.
            lengths: (P,), how many values at the end are the series' own.
            future: (P, T).
            lag: length of a window.
            first: the series that these are, in the population, begin with this one.

        Returns: (P, M, T) each, of every value from the true ones before it, and in closed loop.
        """
        past, lengths, future = (each.repeat_interleave(self.members, dim=0) for each in (past, lengths, future))
        chosen = slice(first * self.members, first * self.members + len(past))
        state = warm_up(self.net, past, lengths, lag, chosen)
        known = torch.cat([past[:, -lag:], future[:, :-1]], dim=1).unfold(1, lag, 1)  # (P M, T, lag)
        teacher_forced, _ = self.net(known.transpose(0, 1), state, chosen)
        closed_loop = rollout(self.net, past[:, -lag:], future.shape[1], state=state, chosen=chosen, bounds=self.bounds)
        return teacher_forced.T.unflatten(0, (-1, self.members)), closed_loop.unflatten(0, (-1, self.members))
