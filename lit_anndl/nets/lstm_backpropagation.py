"""Backpropagation through one step of LSTM networks, written out: differentiating costs more than the arithmetic."""

import torch
from torch import Tensor

from lit_anndl.nets.forecaster import Forecaster
from lit_anndl.nets.population import PopulationLSTM


class LSTMStepBackpropagation:
    """The squared errors of a population of LSTM networks after one step each, with their gradients left in `grad`.

    With z = [x; h]W + b, the gates i, f, o = σ(z_i, z_f, z_o) and g = tanh(z_g), c' = f c + i g, h' = o tanh(c'),
    y = h'v + d, and E = Σ (y - t)² over the networks:

        ∂E/∂y = 2 (y - t),   ∂E/∂h' = ∂E/∂y v,   ∂E/∂c' = ∂E/∂h' o (1 - tanh² c'),
        ∂E/∂z_o = ∂E/∂h' tanh(c') o (1 - o),   ∂E/∂z_i = ∂E/∂c' g i (1 - i),
        ∂E/∂z_f = ∂E/∂c' c f (1 - f),   ∂E/∂z_g = ∂E/∂c' i (1 - g²),   ∂E/∂W = [x; h]ᵀ ∂E/∂z

    The state before is taken as given: backpropagation through time, truncated after a step. Up to rounding it is
    what autograd gives for batches of one window.

    Args:
        forecaster: whose networks they are, whose noise and members they get, and whose state goes on.
    """

    def __init__(self, forecaster: Forecaster) -> None:
        assert isinstance(forecaster.net, PopulationLSTM)
        self.forecaster = forecaster
        self.net = forecaster.net

    @torch.no_grad()
    def __call__(self, windows: Tensor, targets: Tensor) -> Tensor:
        """The mean over the networks: windows (1, P, lag), targets (1, P, 1) → scalar."""
        gates, readout = self.net.gates, self.net.readout
        x = self.forecaster.spread(windows)[0].unsqueeze(1)  # (P M, 1, lag)
        h, c = (each.unsqueeze(1) for each in self.forecaster.state or self.net.initial_state())
        inputs = torch.cat([x, h], dim=-1)
        z = torch.baddbmm(gates.bias, inputs, gates.weight)
        units = self.net.units
        i, f, o = z[..., :units].sigmoid(), z[..., units : 2 * units].sigmoid(), z[..., 3 * units :].sigmoid()
        g = z[..., 2 * units : 3 * units].tanh()
        c_new = f * c + i * g
        squashed = c_new.tanh()
        h_new = o * squashed
        self.forecaster.state = (h_new.squeeze(1), c_new.squeeze(1))
        own = targets[0].repeat_interleave(self.forecaster.members, dim=0).unsqueeze(1)  # (P M, 1, 1)
        residuals = torch.baddbmm(readout.bias, h_new, readout.weight).sub_(own)
        error = residuals.square().mean()
        d_y = residuals.mul_(2)
        d_h = d_y @ readout.weight.transpose(1, 2)
        d_c = d_h * o * (1 - squashed * squashed)
        d_z = torch.cat(
            [d_c * g * i * (1 - i), d_c * c * f * (1 - f), d_c * i * (1 - g * g), d_h * squashed * o * (1 - o)], -1
        )
        readout.weight.grad, readout.bias.grad = h_new.transpose(1, 2) @ d_y, d_y
        gates.weight.grad, gates.bias.grad = inputs.transpose(1, 2) @ d_z, d_z
        return error
