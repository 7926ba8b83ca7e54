"""Values at scattered points, on a grid."""

import numpy as np

from lit_anndl.plots.surfaces import on_grid


def test_a_plane_comes_back_within_the_points_and_nothing_beyond() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    points = points[np.hypot(*points.T) < 1]
    x, y, z = on_grid(points, 2 * points[:, 0] - points[:, 1], 60)
    inside = ~np.isnan(z)
    np.testing.assert_allclose(z[inside], (2 * x - y)[inside], atol=1e-12)
    assert inside[np.hypot(x, y) < 0.8].all()
    assert not inside[np.hypot(x, y) > 1].any()


def test_flat_triangles_at_the_border_are_left_out() -> None:
    """Between two far points of a slightly hollow border the linear surface would be a cliff."""
    x = np.linspace(0, 1, 21)
    hollow = np.stack([x, 0.02 * np.sin(np.pi * x)], axis=1)
    points = np.concatenate([hollow, np.stack(np.meshgrid(x, x[1:] + 0.02), axis=-1).reshape(-1, 2)])
    x, y, z = on_grid(points, np.zeros(len(points)), 60)
    assert np.isnan(z[np.isclose(y, 0) & (x > 0.2) & (x < 0.8)]).all()
