import pytest
import torch
from torch.nn.functional import affine_grid, grid_sample, interpolate, max_pool2d

from lit_anndl.data.mnist import MNISTData
from lit_anndl.nets.stroke_measurements import stroke_measurements


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    data = MNISTData(train_size=200, test_size=1, validation_fraction=0.0, seed=0)
    data.setup("fit")
    return data.train[0].double()


def ring(inner: float, outer: float, side: int = 28) -> torch.Tensor:
    """Pixels' shares within a ring, by 16 points along each side of a pixel."""
    places = (torch.arange(16 * side) + 0.5) / 16 - side / 2
    radius = torch.hypot(*torch.meshgrid(places, places, indexing="ij"))
    inside = ((radius > inner) & (radius < outer)).double()
    return torch.nn.functional.avg_pool2d(inside[None, None], 16)


def transformed(images: torch.Tensor, matrix: list[list[float]]) -> torch.Tensor:
    """Images in which what stood at Ax now stands at x, x from the middle."""
    theta = torch.tensor([[*row, 0] for row in matrix]).double().expand(len(images), 2, 3)
    return grid_sample(images, affine_grid(theta, images.shape, align_corners=False), align_corners=False)


@pytest.mark.parametrize(("inner", "outer"), [(4, 6), (6, 9), (7, 10.5)])
def test_of_a_ring(inner, outer):
    found = stroke_measurements(ring(inner, outer))
    assert found.thickness.item() == pytest.approx(outer - inner, abs=0.2)
    assert found.slant.item() == pytest.approx(0, abs=1e-6)
    assert found.width.item() == pytest.approx(found.height.item(), abs=1e-6)
    assert 2 * outer - 1.5 < found.height.item() < 2 * outer


@pytest.mark.parametrize("degrees", [-25.0, 10.0, 30.0])
def test_a_sheared_digit_has_another_slant_and_the_same_height_and_width(images, degrees):
    tangent = torch.tensor(degrees).deg2rad().tan().item()
    roomy = interpolate(images, scale_factor=0.6, mode="bilinear", antialias=True)
    roomy = torch.nn.functional.pad(roomy, (6, 6, 6, 6))
    before, after = stroke_measurements(roomy), stroke_measurements(transformed(roomy, [[1, tangent], [0, 1]]))
    expected = (before.slant.deg2rad().tan() + tangent).atan().rad2deg()
    assert (after.slant - expected).abs().median() < 1.5
    assert (after.height - before.height).abs().median() < 0.3
    assert (after.width - before.width).abs().median() < 0.3


def test_a_dilated_digit_is_thicker(images):
    thin, thick = (stroke_measurements(each) for each in (images, max_pool2d(images, 3, stride=1, padding=1)))
    assert (thick.thickness > thin.thickness).all()
    assert 1.9 < (thick.thickness - thin.thickness).median() < 2.9  # 2, and 2√2 across diagonal strokes
    assert (thick.height - thin.height).median().item() == pytest.approx(2, abs=0.5)


def test_of_a_digit_twice_as_large_all_lengths_are_twice_as_long(images):
    large = interpolate(images, scale_factor=2, mode="bilinear")
    small, twice = stroke_measurements(images), stroke_measurements(large)
    for name in ("thickness", "width", "height"):
        assert (getattr(twice, name) / getattr(small, name)).median().item() == pytest.approx(2, rel=0.05)
    assert (twice.slant - small.slant).abs().max() < 3


def test_ones_are_narrow_and_digits_lean_right(images):
    found = stroke_measurements(images)
    assert 2 < found.thickness.median() < 4
    assert 15 < found.height.median() < 20
    assert found.slant.mean() > 0


def test_an_empty_image_has_no_strokes():
    found = stroke_measurements(torch.zeros(2, 1, 28, 28))
    assert all((each == 0).all() for each in found)
