"""Pictures of images and of confusion."""

import numpy as np
import pytest
import torch

from lit_anndl.plots.images import confusion, filters, image_rows
from lit_anndl.plots.memories import confusions


def test_panels_of_confusion_share_one_scale() -> None:
    few, many = np.diag([5, 5, 5]), np.diag([5, 5, 5])
    few[0, 1], many[0, 1] = 1, 9
    figure = confusions({"few": few, "many": many}, "012")
    assert [axes.images[0].get_clim() for axes in figure.axes] == [(0, 9)] * 2


def test_a_confusion_without_a_mistake_is_white() -> None:
    (axes,) = confusion(np.diag([3, 4])).axes
    assert not axes.images[0].get_array().any() and axes.images[0].get_clim() == (0, 1)
    assert axes.get_title() == "7 test images, 0 mistaken (red)"


@pytest.mark.parametrize("count", [1, 8, 64])
def test_the_colour_bar_of_filters_is_as_high_as_their_grid(count: int) -> None:
    figure = filters(torch.randn(count, 1, 5, 5), "filters")
    figure.canvas.draw()
    grid = figure.axes[0]
    (bar,) = grid.child_axes
    heights = [axes.get_window_extent().height for axes in (grid, bar)]
    assert heights[0] == pytest.approx(heights[1])
    assert bar.get_ylabel() == "weight"


def test_filters_of_any_precision_are_drawn() -> None:
    weights = torch.randn(8, 1, 5, 5).bfloat16()
    drawn = [filters(each, "filters").axes[0].images[0].get_array() for each in (weights, weights.float())]
    assert np.array_equal(drawn[0].filled(0), drawn[1].filled(0))


def test_rows_of_images_are_named_once() -> None:
    figure = image_rows({"above": np.zeros((3, 4, 4)), "below": np.ones((2, 4, 4))}, "two rows")
    assert [axes.get_ylabel() for axes in figure.axes] == ["above", "", "", "below", "", ""]
