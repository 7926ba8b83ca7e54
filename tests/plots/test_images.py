"""Pictures of images."""

import numpy as np
import pytest
import torch

from lit_anndl.plots.images import filter_panels, filters, image_rows


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


def test_filters_side_by_side_are_on_one_scale() -> None:
    figure = filter_panels(
        {"before": torch.full((4, 1, 5, 5), 0.1), "after": torch.full((4, 1, 5, 5), -0.5)}, "weights"
    )
    assert {axes.images[0].get_clim() for axes in figure.axes if axes.images} == {(-0.5, 0.5)}
