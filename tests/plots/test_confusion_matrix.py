"""Confusion matrices, alone and side by side."""

import numpy as np

from lit_anndl.plots.confusion_matrix import confusion
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
