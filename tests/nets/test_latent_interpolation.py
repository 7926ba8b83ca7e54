import pytest
import torch

from lit_anndl.nets.latent_interpolation import interpolate

WEIGHTS = torch.linspace(0, 1, 5, dtype=torch.float64)


@pytest.fixture
def pairs():
    return torch.randn(2, 7, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_ways_begin_and_end_where_they_should(path, pairs):
    start, end = pairs
    points = interpolate(start, end, WEIGHTS, path)
    assert points.shape == (7, 5, 20)
    assert torch.allclose(points[:, 0], start) and torch.allclose(points[:, -1], end)
    assert torch.allclose(points, interpolate(end, start, 1 - WEIGHTS, path))


def test_a_great_circle_turns_evenly_and_keeps_the_norm(pairs):
    start, end = torch.nn.functional.normalize(pairs, dim=-1)
    points = interpolate(start, end, WEIGHTS, "spherical")
    assert torch.allclose(points.norm(dim=-1), torch.ones(7, 5, dtype=torch.float64))
    angles = (points[:, 1:] * points[:, :-1]).sum(dim=-1).acos()
    assert torch.allclose(angles, angles[:, :1].expand_as(angles))


def test_a_line_has_even_steps(pairs):
    steps = interpolate(*pairs, WEIGHTS).diff(dim=1)
    assert torch.allclose(steps, steps[:, :1].expand_as(steps))


def test_parallel_points_have_a_way_too(pairs):
    start = pairs[0]
    assert torch.allclose(interpolate(start, 2 * start, WEIGHTS, "spherical"), interpolate(start, 2 * start, WEIGHTS))
