import numpy as np
import pytest

from lit_anndl.plots.latent import tsne

CODES = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)


@pytest.mark.parametrize("codes", [CODES[:1], CODES[:3], np.zeros((50, 5)), np.full((50, 5), 0.1, np.float32)])
def test_codes_without_neighbours_have_no_map(codes):
    assert tsne(codes) is None


@pytest.mark.parametrize("scale", [1e-40, 1e-20, 1, 1e30])
def test_a_map_does_not_depend_on_the_codes_scale(scale):
    plane = tsne(CODES.astype(np.float64) * scale)
    assert plane is not None and plane.shape == (50, 2) and np.isfinite(plane).all()


def test_few_codes_and_codes_of_two_kinds_have_a_map():
    for codes in (CODES[:4], np.eye(5)[np.arange(50) // 49]):
        plane = tsne(codes)
        assert plane is not None and plane.shape == (len(codes), 2) and np.isfinite(plane).all()
