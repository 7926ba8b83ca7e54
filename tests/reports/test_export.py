"""What is told of a run beside its measurements."""

import pytest

from lit_anndl.reports.export import _commit, _measurements
from lit_anndl.reports.measurements import of_tested_weights
from lit_anndl.reports.study_page import StudyPage
from lit_anndl.studies.study_file import parse_definition
from lit_anndl.tracking.study_results import StudyResult


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


def test_what_a_search_has_chosen_is_told():
    space = {"model.hidden": [3, 5], "model.optimizer.lr": [0.1, 0.01]}
    search = parse_definition({"name": "search", "exercise": "surface", "metric": "val/mse", "space": space})
    settings = {"model.hidden": "5", "model.optimizer.lr": "0.1", "data.noise": "0.0"}
    found = list(_measurements([StudyResult(None, 0, settings, {"val/mse": 0.5}, {}, "2026-01-31")], search))
    assert [each.chosen for each in found] == ["model.hidden 5, model.optimizer.lr 0.1"]
    assert StudyPage(search, found).notes == ["best: chosen model.hidden 5, model.optimizer.lr 0.1"]
