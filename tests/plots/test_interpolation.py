import numpy as np
import pytest

from lit_anndl.plots.interpolation import interpolation


def test_each_image_stands_in_its_place():
    images = np.random.default_rng(0).random((2, 3, 4, 5), dtype=np.float32)
    (axes,) = interpolation(images, [0, 0.5, 1], "ways", ["a", "b"]).axes
    (shown,) = axes.images
    sheet = np.asarray(shown.get_array())
    assert sheet.shape == (2 * 6 - 1, 3 * 7 - 1)
    for row in range(2):
        for column in range(3):
            x, y = axes.get_xticks()[column], axes.get_yticks()[row]
            top, left = round(y - 1.5), round(x - 2)
            assert np.array_equal(sheet[top : top + 4, left : left + 5], images[row, column])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.5", "1"]


@pytest.mark.parametrize(("weights", "labels"), [([0, 1], []), ([0, 0.5, 1], ["a"])])
def test_numbers_that_differ_are_refused(weights, labels):
    with pytest.raises(ValueError, match="do not match"):
        interpolation(np.zeros((2, 3, 4, 4), dtype=np.float32), weights, "ways", labels)
