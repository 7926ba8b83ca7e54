import numpy as np

from lit_anndl.plots.bands import Curve, learning_curves, overlay


def test_an_overlay_names_its_rows_beside_the_curves():
    runs = [{"shift": [0, 1], "accuracy": [0.9, 0.5]}, {"shift": [0, 1], "accuracy": [0.8, 0.4]}]
    figure = overlay({"small": runs, "large": runs}, "networks", together=True)
    figure.canvas.draw()
    (axes,) = figure.axes
    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["small", "large"]
    assert legend.get_window_extent().x0 > axes.get_window_extent().x1


def test_seconds_have_no_exponent():
    values, seconds = np.array([[1.0, 0.5]]), np.array([600.0, 1314.4])
    figure = learning_curves({"": {"row": Curve.over_seeds(np.arange(2), values, seconds)}}, "val/mse", "study")
    assert [text.get_text() for text in figure.axes[-1].get_legend().get_texts()] == ["row: 1310 s"]
