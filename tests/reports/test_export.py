"""What is told of a run beside its measurements."""

import pytest

from lit_anndl.reports.export import _commit
from lit_anndl.reports.measurements import of_tested_weights


@pytest.mark.parametrize(
    ("tag", "told"),
    [
        ("cf9e286dd70a1b2c3d4e5f60718293a4b5c6d7e8", "cf9e286dd70"),
        ("cf9e286dd70a1b2c3d4e5f60718293a4b5c6d7e8+changes", "cf9e286dd70+"),
        (None, "unknown"),
    ],
)
def test_of_which_commit_a_run_is(tag, told):
    assert _commit({"git_commit": tag} if tag else {}) == told


def test_after_early_stopping_the_best_weights_count():
    last = {"val/mse": 0.3, "test/mse": 0.2, "val/loss": float("inf")}
    assert of_tested_weights(last) == {"val/mse": 0.3, "test/mse": 0.2}
    best = {"best/val/mse": 0.1, "best/epoch": 7.0}
    assert of_tested_weights({**last, **best}) == {"val/mse": 0.1, "test/mse": 0.2, **best}
