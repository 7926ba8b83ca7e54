"""Populations: P networks of one architecture side by side, each with weights and data of its own, as one program.

Layers are batched matrix products over the population, so that P small networks cost little more than one. Networks
that are made one by one are stacked by `stacked_mlp`.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
"""Hidden state h and cell c of LSTMs, (P, H) each."""

Activation = Literal["tanh", "relu", "sin"]

_ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sin": torch.sin}


class _PopulationLinear(nn.Module):
    """P linear layers, y = xW + b for each; weights and biases start from U(-g/√n, g/√n) as those of torch do.

    Args:
        population: P.
        inputs: n.
        outputs: m.
        gain: g.

    Shapes: (P, B, n) → (P, B, m); with `chosen`, for those of the population only.
    """

    def __init__(self, population: int, inputs: int, outputs: int, gain: float = 1.0) -> None:
        super().__init__()
        bound = gain / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(population, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(population, 1, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor, chosen: slice | None = None) -> Tensor:
        """Evaluates each layer at its own inputs."""
        if chosen is None:  # a slice of all would cost a copy of the gradient
            return torch.baddbmm(self.bias, x, self.weight)
        return torch.baddbmm(self.bias[chosen], x, self.weight[chosen])


class PopulationMLP(nn.Module):
    """P networks with one hidden layer that predict a series' next value from a window of it: v·φ(Wx + b) + c.

    With φ = sin the rows of W are frequencies, learnt from those that the gain lets them start with (sinusoidal
    networks: Sitzmann et al., NeurIPS 2020).

    Args:
        population: P.
        lag: length of a window.
        hidden: units.
        activation: φ.
        gain: of the hidden layer's initial weights, 1 for torch's own.

    Shapes: windows (B, P, lag) → predictions (B, P); there is no state.
    """

    def __init__(
        self, population: int, lag: int, hidden: int, activation: Activation = "tanh", gain: float = 1.0
    ) -> None:
        super().__init__()
        self.population = population
        self.hidden = _PopulationLinear(population, lag, hidden, gain)
        self.readout = _PopulationLinear(population, hidden, 1)
        self.activation = activation

    def forward(
        self, windows: Tensor, state: State | None = None, chosen: slice | None = None
    ) -> tuple[Tensor, State | None]:
        """The predictions, and the state as it was."""
        features = _ACTIVATIONS[self.activation](self.hidden(windows.transpose(0, 1), chosen))
        return self.readout(features, chosen).squeeze(-1).T, state

    def initial_state(self, chosen: slice | None = None) -> None:
        """None."""


class PopulationLSTM(nn.Module):
    """P networks with one layer of long short-term memory, fed with one window per step.

    i, f, o = σ(…), g = tanh(…), each of W[x; h] + b;  c ← f c + i g;  h ← o tanh(c);  prediction v·h + d
    (Hochreiter & Schmidhuber, Neural Computation 9, 1997; the forget gate by Gers et al. 2000, its bias starts at 1).

    Args:
        population: P.
        lag: length of a window.
        hidden: H.

    Shapes: windows (T, P, lag) in the order of time → predictions (T, P); state (P, H) twice.
    """

    def __init__(self, population: int, lag: int, hidden: int) -> None:
        super().__init__()
        self.population = population
        self.units = hidden
        self.gates = _PopulationLinear(population, lag + hidden, 4 * hidden)
        self.readout = _PopulationLinear(population, hidden, 1)
        with torch.no_grad():
            self.gates.bias[..., hidden : 2 * hidden] = 1

    def forward(
        self, windows: Tensor, state: State | None = None, chosen: slice | None = None
    ) -> tuple[Tensor, State | None]:
        """The predictions, and the state after the last window."""
        h, c = state or self.initial_state(chosen)
        predictions = []
        for window in windows:
            gates = self.gates(torch.cat([window, h], dim=-1).unsqueeze(1), chosen).squeeze(1)
            i, f, g, o = gates.chunk(4, dim=-1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            predictions.append(self.readout(h.unsqueeze(1), chosen)[:, 0, 0])
        return torch.stack(predictions), (h, c)

    def initial_state(self, chosen: slice | None = None) -> State:
        """Zeros."""
        size = len(self.gates.bias[chosen or slice(None)])
        zeros = self.gates.bias.new_zeros(size, self.units)
        return zeros, zeros


Population = PopulationMLP | PopulationLSTM
