"""Populations agree with networks one by one."""

import torch
from torch import nn

from lit_anndl.nets.forecaster import Forecaster
from lit_anndl.nets.population import PopulationLSTM, PopulationMLP
from lit_anndl.nets.rollout import rollout, warm_up

P, LAG, HIDDEN = 4, 6, 5


def windows(length=7, seed=0):
    return torch.randn((length, P, LAG), generator=torch.Generator().manual_seed(seed))


def lstm_cell(net, member):
    """The member as a cell of torch, whose gates stand in the same order: i, f, g, o."""
    cell = nn.LSTMCell(LAG, HIDDEN)
    weight, bias = net.gates.weight[member].detach().T, net.gates.bias[member, 0].detach()
    cell.load_state_dict(
        {
            "weight_ih": weight[:, :LAG],
            "weight_hh": weight[:, LAG:],
            "bias_ih": bias,
            "bias_hh": torch.zeros_like(bias),
        }
    )
    return cell


def test_perceptrons():
    net, x = PopulationMLP(P, LAG, HIDDEN), windows()
    predictions, state = net(x)
    assert state is None and predictions.shape == (7, P)
    for member in range(P):
        hidden = torch.tanh(x[:, member] @ net.hidden.weight[member] + net.hidden.bias[member])
        expected = hidden @ net.readout.weight[member] + net.readout.bias[member]
        assert torch.allclose(predictions[:, member], expected[:, 0], atol=1e-6)


def test_memories():
    net, x = PopulationLSTM(P, LAG, HIDDEN), windows()
    predictions, (h, c) = net(x)
    for member in range(P):
        cell, state = lstm_cell(net, member), None
        for time in range(len(x)):
            state = cell(x[time, member], state)
            expected = state[0] @ net.readout.weight[member] + net.readout.bias[member, 0]
            assert torch.allclose(predictions[time, member], expected[0], atol=1e-6)
        assert torch.allclose(h[member], state[0], atol=1e-6) and torch.allclose(c[member], state[1], atol=1e-6)


def test_some_of_a_population_alone():
    for net in (PopulationMLP(P, LAG, HIDDEN), PopulationLSTM(P, LAG, HIDDEN)):
        x = windows()
        assert torch.allclose(net(x)[0][:, 1:3], net(x[:, 1:3], None, slice(1, 3))[0], atol=1e-6)


def test_members_of_a_population_do_not_learn_from_each_other():
    net, x = PopulationMLP(P, LAG, HIDDEN), windows()
    net(x)[0][:, 2].sum().backward()
    touched = net.hidden.weight.grad.abs().sum((1, 2)) > 0
    assert touched.tolist() == [False, False, True, False]


@torch.no_grad()
def test_closed_loop_of_one_series_by_hand():
    net, start = PopulationMLP(P, LAG, HIDDEN), windows(1)[0]
    values = rollout(net, start, 9, bounds=(-0.2, 0.2))
    for member in range(P):
        window = start[member].tolist()
        for value in values[member].tolist():
            inputs = torch.tensor(window[-LAG:]).expand(1, P, LAG)
            expected = float(net(inputs)[0][0, member].clamp(-0.2, 0.2))
            assert abs(value - expected) < 1e-6
            window.append(value)


def test_warming_up_on_series_of_unequal_length():
    net = PopulationLSTM(P, LAG, HIDDEN)
    series = torch.randn((P, 30), generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([30, 12, LAG + 1, LAG])
    padded = torch.where(torch.arange(30) >= 30 - lengths[:, None], series, 7.0)
    h, _ = warm_up(net, padded, lengths, LAG)
    for member, length in enumerate(lengths.tolist()):
        own = series[member, 30 - length :].expand(P, -1)
        alone, _ = warm_up(net, own, torch.full((P,), length), LAG)
        assert torch.allclose(h[member], alone[member], atol=1e-6)


def test_several_steps_ahead_go_on_from_their_own_predictions():
    net, x = PopulationMLP(P, LAG, HIDDEN), windows()
    outputs = Forecaster(net, steps_ahead=3)(x)
    for window, ahead in zip(x, outputs, strict=True):
        assert torch.allclose(rollout(net, window, 3), ahead, atol=1e-6)


def test_state_goes_on_until_it_is_forgotten():
    net, x = Forecaster(PopulationLSTM(P, LAG, HIDDEN)), windows(8)
    whole = net(x)
    net.reset_state()
    parts = torch.cat([net(x[:3]), net(x[3:])])
    assert torch.allclose(whole, parts, atol=1e-6)
    assert not torch.allclose(net(x), whole, atol=1e-6)
