import torch

from lit_anndl.nets.mlp import MLP
from lit_anndl.nets.standardize import Standardize


def test_uniform_inputs_get_mean_0_and_standard_deviation_1() -> None:
    x = torch.rand(100_000, generator=torch.Generator().manual_seed(0))
    z = Standardize(0.5, 12**-0.5)(x)
    assert abs(z.mean().item()) < 0.01
    assert abs(z.std().item() - 1) < 0.01


def test_a_network_sees_standardised_inputs() -> None:
    torch.manual_seed(0)
    net = MLP((2, 5, 1), "tanh", input_mean=0.5, input_std=0.25)
    plain = MLP((2, 5, 1), "tanh")
    plain.load_state_dict(dict(zip(plain.state_dict(), net.state_dict().values(), strict=True)))
    x = torch.rand(7, 2)
    torch.testing.assert_close(net(x), plain(4 * x - 2))
