import pytest

from lit_anndl.reports.claim_verdicts import Cell, claim_lines
from lit_anndl.reports.measurements import Measurement
from lit_anndl.studies.study_file import parse_definition

STUDY = {
    "name": "claimed",
    "exercise": "surface",
    "metric": "test/mse",
    "rows": {"a": {"model.hidden": 3}, "b": {"model.hidden": 4}},
    "sources": {"A": "a report"},
}


def cell(values: list[float], claim: dict, column: str = "a", **changes: object) -> Cell:
    """What is said of the first column when row a has measured some values of test/mse, train/mse being 1."""
    seeds = list(range(len(values) or 1))  # as many as have run
    definition = parse_definition({**STUDY, "seeds": seeds, "claims": {"it": claim}, **changes})
    about = {"seconds": 1.0, "commit": "", "date": "", "processor": "", "versions": "", "settings": ""}
    runs = [
        Measurement(row="a", seed=seed, metrics={"test/mse": value, "train/mse": 1.0}, **about)
        for seed, value in enumerate(values)
    ]
    (line,) = claim_lines(definition, runs)
    return line.cells[column]


@pytest.mark.parametrize(
    ("values", "tick", "answer", "verdict"),
    [
        ([0.1, 0.2], True, "yes", "agrees"),
        ([0.1, 0.2], False, "yes", "contradicts"),
        ([0.8, 0.9], False, "no", "agrees"),
        ([0.1, 0.9], True, "undecided", "undecided"),
        ([0.1, 0.2], "?", "yes", "undecided"),
        ([0.1, 0.2], "n/a", "yes", "contradicts"),
        ([], True, "not yet run", "not yet run"),
    ],
)
def test_answers_and_verdicts(values, tick, answer, verdict):
    found = cell(values, {"criterion": {"test/mse": "below 0.5"}, "ticks": {"A": {"a": tick}}})
    assert (found.answer, [each.verdict.value for each in found.ticks]) == (answer, [verdict])


@pytest.mark.parametrize(
    ("values", "answer"),
    [([0.1] * 4, "yes"), ([0.1] * 3, "yes"), ([0.1, 0.1], "undecided"), ([0.1, 0.9, 0.9], "no"), ([0.9, 0.9], "no")],
)
def test_a_share_is_decided_once_no_further_run_can_change_it(values, answer):
    found = cell(values, {"criterion": {"test/mse": "below 0.5"}, "share": 0.75}, seeds=[0, 1, 2, 3])
    assert found.answer == answer
    assert found.numbers[0] == ("met by", f"{values.count(0.1)} of {len(values)} runs")


def test_some_of_the_planned_runs_decide_nothing():
    claim = {"criterion": {"test/mse": "below 0.5"}}
    assert [cell([value], claim, seeds=[0, 1]).answer for value in (0.1, 0.9)] == ["undecided"] * 2


@pytest.mark.parametrize(("met", "answer"), [(11, "yes"), (10, "undecided")])
def test_shares_are_of_whole_runs(met, answer):
    claim = {"criterion": {"test/mse": "below 0.5"}, "share": 0.55}  # 0.55 · 20 is above 11 in floating point
    assert cell([0.1] * met, claim, seeds=list(range(20))).answer == answer


def test_what_every_run_measures_may_decide():
    assert cell([0.1], {"criterion": {"bytes/optimizer": "at most 10"}}).answer == "undecided"


def test_multiples_of_other_metrics_and_several_conditions():
    both = {"criterion": {"test/mse": "at most 0.5 times train/mse", "train/mse": ["at least 1", "at most 100"]}}
    assert cell([0.5], both).answer == "yes"
    assert cell([0.6], both).answer == "no"
    for others in ("above 1", ["at least 1", "below 1"], ["above 1", "at most 100"]):
        assert cell([0.5], {"criterion": {**both["criterion"], "train/mse": others}}).answer == "no"


def test_what_a_column_has_not_measured_is_undecided_and_what_is_not_there_is_none():
    assert cell([0.5], {"criterion": {"val/mse": "below 1"}}).answer == "undecided"
    rows = {**STUDY["rows"], "c": {"exercise": "hopfield_2d"}}
    assert cell([0.5], {"criterion": {"test/mse": "below 1"}}, "c", rows=rows).answer == "n/a"


def test_columns_pool_rows_and_numbers_are_short():
    claim = {"criterion": {"test/mse": "below 5000"}, "shown": ["train/mse"]}
    found = cell([1234.5, 0.00001], claim, "both", columns={"both": ["a", "b"]})
    assert found.numbers == [("mse", "617.2 (0–1234)"), ("mse", "1")]
