import math

from matplotlib.figure import Figure

from lit_anndl.plots.learning import bars, curves

HISTORY = {
    "train/mse": [(epoch, 1 / (1 + epoch)) for epoch in range(4)],
    "train/loss": [(epoch, 1 / epoch) for epoch in range(4, 9)],
}
PHASES = {"layer 1": 0, "layer 2": 2, "classifier": 4, "fine-tuning": 6}


def marks(figure: Figure) -> tuple[list[str], list[float]]:
    """The names of the phases, and where the lines between them stand."""
    (axes,) = figure.axes
    places = [float(line.get_xdata()[0]) for line in axes.lines if line.get_linestyle() == "--"]
    return [text.get_text() for text in axes.texts], places


def test_phases_that_a_metric_was_logged_in() -> None:
    assert marks(curves(HISTORY, ["train/mse"], "error", phases=PHASES)) == (["layer 1", "layer 2"], [1.5])
    assert marks(curves(HISTORY, ["train/loss"], "loss", phases=PHASES)) == (["classifier", "fine-tuning"], [5.5])
    assert marks(curves(HISTORY, ["train/mse"], "error")) == ([], [])


def test_no_line_leads_from_one_phase_to_the_next() -> None:
    (axes,) = curves(HISTORY, ["train/mse"], "error", phases=PHASES).axes
    points = dict(zip(*map(list, axes.lines[0].get_data()), strict=True))
    assert math.isnan(points.pop(1.5))
    assert {epoch: value for epoch, value in points.items() if not math.isnan(value)} == dict(HISTORY["train/mse"])


def test_bars_say_their_numbers() -> None:
    (axes,) = bars({"validation": {"before": 0.25, "after": 0.5}, "test": {"before": 0.125, "after": 1.0}}, "").axes
    assert [bar.get_height() for bar in axes.patches] == [0.25, 0.5, 0.125, 1.0]
    assert [text.get_text() for text in axes.texts] == ["0.250", "0.500", "0.125", "1.000"]
