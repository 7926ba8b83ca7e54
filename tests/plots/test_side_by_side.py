"""Rows of a study side by side."""

import math
from itertools import pairwise

import numpy as np
import pytest

from lit_anndl.plots.arrivals import arrivals
from lit_anndl.plots.bands import Curve, learning_curves
from lit_anndl.plots.gallery import gallery
from lit_anndl.plots.published import values_by_row
from lit_anndl.plots.scales import scale_of


@pytest.mark.parametrize(
    ("values", "scale"),
    [([], "linear"), ([1, 20], "linear"), ([1, 21], "log"), ([0, 21], "linear"), ([-1, 21], "linear")],
)
def test_positive_values_that_spread_are_shown_by_powers(values: list[float], scale: str) -> None:
    assert scale_of(values) == scale


def test_measured_values_are_dots_and_published_ones_letters() -> None:
    measured = {"a": [1.0, 3.0, 2.0], "b": []}
    (axes,) = values_by_row(measured, "test/mse", published={"b": {"A": 50.0}, "c": {"B": 2.0}}).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    assert [(text.get_text(), *text.get_position()) for text in axes.texts] == [("A", 50.0, 1), ("B", 2.0, 2)]
    dots, bar, *_ = axes.lines
    assert list(dots.get_xdata()) == [1.0, 3.0, 2.0] and list(bar.get_xdata()) == [2.0, 2.0]
    assert axes.get_xscale() == "log" and axes.get_xlabel() == "test/mse"


def test_a_row_that_does_not_arrive_is_said_to() -> None:
    ranked = {"fast": ([1.0, 2.0], 1), "slow": ([math.inf, 3.0], None), "lost": ([math.inf] * 2, None)}
    left, right = arrivals({"epochs": {"loss < 1": ranked}, "seconds": {"loss < 1": ranked}}, "first: fast").axes
    assert [text.get_text() for text in left.texts] == ["1st", "1 of 2", "never"]
    assert left.get_xlabel().startswith("epochs") and right.get_xlabel().startswith("seconds")


def test_seconds_are_named_where_they_are_known() -> None:
    epochs, values = np.arange(3), np.array([[3.0, 2, 1], [5, 4, 3], [4, 3, 2]])
    timed, untimed = Curve.over_seeds(epochs, values, np.array([1.0, 2, 3])), Curve.over_seeds(epochs, values)
    assert list(timed.median) == [4, 3, 2] and list(timed.lowest) == [3, 2, 1] and list(timed.highest) == [5, 4, 3]
    figure = learning_curves({"": {"a": untimed, "b": timed}}, "train/mse", "study")
    assert [text.get_text() for text in figure.axes[-1].get_legend().get_texts()] == ["a", "b: 3 s"]


def test_a_picture_that_is_missing_leaves_its_place_empty() -> None:
    pictures = {"a": [np.zeros((2, 4, 3)), None], "b": [np.zeros((2, 4, 3)), np.zeros((2, 2, 3))]}
    axes = gallery(pictures, "study").axes
    assert [len(each.images) for each in axes] == [1, 0, 1, 1]


def test_long_names_of_rows_do_not_run_into_each_other() -> None:
    figure = gallery(
        {f"row {k}, whose name is much longer than its picture is wide": [np.zeros((2, 2, 3))] for k in range(6)}, ""
    )
    figure.draw_without_rendering()
    titles = [axes.title.get_window_extent() for axes in figure.axes[:6]]
    assert all(left.x1 < right.x0 for left, right in pairwise(titles[:4]))
    assert titles[0].x0 >= 0 and titles[3].x1 <= figure.bbox.x1
