"""A run's metrics as a terminal shows them."""

from lit_anndl.runs.metrics_table import metrics_table


def test_by_stage_with_units_and_without_what_says_nothing():
    metrics = {"seconds/fit": 2.5, "train/mse": 0.25, "parameters": 0.0, "test/mse": 0.5, "test/mse_median": 0.5}
    assert metrics_table(metrics).splitlines() == ["test/mse     0.5", "train/mse    0.25", "seconds/fit  2.5 s"]


def test_quantiles_of_several_origins_are_shown():
    metrics = {"test/nmse": 0.5, "test/nmse_median": 0.5, "test/nmse_upper": 0.75}
    assert len(metrics_table(metrics).splitlines()) == 3
