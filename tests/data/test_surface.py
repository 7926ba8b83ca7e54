import math

import pytest
import torch
from torch import Tensor

from lit_anndl.data.surface import EXTENT, SurfaceData, grid, surface
from lit_anndl.runtime.errors import InputError


def data(**options: object) -> SurfaceData:
    made = SurfaceData(**{"seed": 0, **options})  # type: ignore[arg-type]
    made.setup("fit")
    return made


def rows(points: Tensor) -> set[tuple[float, ...]]:
    return set(map(tuple, points.tolist()))


@pytest.mark.parametrize(
    ("x", "y", "value"),
    [
        (1.0, 0.0, math.sin(0.8)),
        (0.0, -1.0, math.sin(0.8)),
        (math.sqrt(math.pi / 0.8), 0.0, 0.0),  # 0.8 r² = π
        (math.sqrt(0.5), math.sqrt(0.5), math.sin(0.8)),
        (1.0, 2.0, math.sin(4.0) / 5**0.9),
        (3.0, 3.0, math.sin(14.4) / 18**0.9),
        (0.0, 0.0, 0.0),
    ],
)
def test_formula(x: float, y: float, value: float) -> None:
    assert surface(torch.tensor([x, y], dtype=torch.float64)).item() == pytest.approx(value, abs=1e-12)


def test_goes_to_zero_at_the_origin() -> None:
    radii = torch.tensor([1e-2, 1e-6, 1e-12], dtype=torch.float64)
    heights = surface(torch.stack([radii, radii], dim=1)).squeeze(1)
    assert heights.tolist() == sorted(heights.tolist(), reverse=True)
    assert 0 < heights[-1] < 0.01


def test_is_defined_and_differentiable_in_the_small() -> None:
    """Squares that underflow, and the gradient at the origin, give numbers."""
    points = torch.tensor([[0.0, 0.0], [1e-30, 0.0]], requires_grad=True)
    heights = surface(points)
    heights.sum().backward()
    assert heights.isfinite().all()
    assert points.grad is not None and points.grad.isfinite().all()


def test_is_radial() -> None:
    points, angle = grid(7).double(), torch.tensor(1.0, dtype=torch.float64)
    rotation = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)
    torch.testing.assert_close(surface(points @ rotation), surface(points), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(2,), (5, 2), (3, 4, 2)])
def test_shapes(shape: tuple[int, ...]) -> None:
    assert surface(torch.ones(shape)).shape == (*shape[:-1], 1)


def test_grid_spans_the_square_with_x_varying_slowest() -> None:
    axis = torch.linspace(-EXTENT, EXTENT, 4)
    points = grid(4).view(4, 4, 2)
    assert torch.equal(points[:, 0, 0], axis)
    assert torch.equal(points[0, :, 1], axis)
    assert torch.equal(points[..., 0], axis[:, None].expand(4, 4))


def test_signal_power_of_the_course() -> None:
    assert surface(grid(40)).square().mean().item() == pytest.approx(0.0999, abs=5e-5)


def test_sizes_and_targets() -> None:
    made = data(grid_size=6)
    points, noisy = made.train
    assert points.shape == (36, 2)
    assert noisy.shape == (36, 1)
    assert torch.equal(points, made.test[0])
    assert torch.equal(made.test[1], surface(points))
    assert made.validation == ()


def test_without_noise_training_and_test_targets_agree() -> None:
    made = data(noise=0.0)
    assert torch.equal(made.train[1], made.test[1])


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_noise_has_its_standard_deviation(noise: float) -> None:
    made = data(noise=noise, grid_size=100)
    residuals = made.train[1] - made.test[1]
    assert residuals.std().item() == pytest.approx(noise, rel=0.05)
    assert abs(residuals.mean().item()) < 5 * noise / 100


def test_noise_depends_on_the_seed_alone() -> None:
    first = data(seed=1)
    torch.rand(3)  # the global generator has no say
    assert torch.equal(first.train[1], data(seed=1).train[1])
    assert not torch.equal(first.train[1], data(seed=2).train[1])


def test_seed_is_that_of_the_run_by_default() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        assert torch.equal(data(seed=None).train[1], data(seed=5).train[1])


@pytest.mark.parametrize("size", [1, 7, 35])
def test_validation_points_are_held_out_with_their_noisy_values(size: int) -> None:
    made, whole = data(grid_size=6, validation_size=size), data(grid_size=6)
    train, validation = rows(torch.cat(made.train, dim=1)), rows(torch.cat(made.validation, dim=1))
    assert len(validation) == size
    assert not train & validation
    assert train | validation == rows(torch.cat(whole.train, dim=1))
    assert torch.equal(made.noisy, whole.train[1])


@pytest.mark.parametrize("size", [36, 1000])
def test_nothing_left_to_train_on(size: int) -> None:
    with pytest.raises(InputError, match=f"^data.validation_size {size} .* the grid has 36 points$"):
        SurfaceData(grid_size=6, validation_size=size)
