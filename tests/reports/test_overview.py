"""The picture of all published numbers."""

from types import SimpleNamespace

import numpy as np

from lit_anndl.reports.overview import overview
from lit_anndl.reports.verdicts import Comparison


def page_of(published: float, *measured: float) -> SimpleNamespace:
    return SimpleNamespace(name="study", comparisons=[Comparison("row", "test/metric", "A", published, measured)])


def test_log_likelihoods_have_a_place_in_it():
    figure = overview([page_of(-84.0, -105.0, -100.0, -120.0)])
    (dots,) = figure.axes[0].collections
    np.testing.assert_allclose(dots.get_offsets(), [[0.8, 0]])


def test_numbers_without_a_ratio_have_none():
    assert overview([page_of(1.0), page_of(-1.0, 2.0), page_of(0.0, 2.0), page_of(1.0, 0.0)]) is None
