import pytest
import torch

from lit_anndl.nets.perceptual_path import perceptual_path_length


def normal(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_of_a_linear_decoder_it_is_the_squared_length_of_the_line():
    a, b, matrix = normal(50, 3), normal(60, 3)[10:], normal(3, 7)
    found = perceptual_path_length(lambda z: z @ matrix, torch.nn.Identity(), a, b, torch.Generator())
    assert found == pytest.approx(((b - a) @ matrix).square().sum(dim=1).mean().item(), rel=1e-6)


def test_a_jump_costs_more_than_a_slow_change():
    a, b = torch.zeros(500, 1).double(), torch.ones(500, 1).double()
    slow, steep = (
        perceptual_path_length(lambda z, k=k: ((z - 0.5) * k).sigmoid(), torch.nn.Identity(), a, b, torch.Generator())
        for k in (5, 100)
    )
    assert steep > 5 * slow
