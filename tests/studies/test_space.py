"""Search spaces: what is drawn lies in them, conditions hold, and what is written wrongly is named."""

import optuna
import pytest
from optuna import Study

from lit_anndl.runtime.errors import InputError
from lit_anndl.studies.space import examples, grid, suggest
from lit_anndl.studies.space_file import read_space

CONDITIONAL = {
    "model.optimizer": ["Adam", "SGD"],
    "model.optimizer.momentum": {"float": [0, 0.9], "step": 0.45, "when": {"model.optimizer": "SGD"}},
    "model.optimizer.nesterov": {"choice": [True, False], "when": {"model.optimizer.momentum": [0.45, 0.9]}},
    "model.hidden": {"int": [3, 9], "step": 3},
}


@pytest.fixture
def study() -> Study:
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))


def test_what_is_drawn_lies_in_the_space(study):
    space = read_space(
        {
            "choice": {"choice": [1, "two", None]},
            "whole": {"int": [1, 10]},
            "number": {"float": [0.5, 1.5], "step": 0.25},
            "log": {"float": ["1e-4", 1], "log": True},
        }
    )
    for _ in range(50):
        drawn = suggest(space, study.ask())
        assert drawn["choice"] in (1, "two", None)
        assert drawn["whole"] in range(1, 11)
        assert drawn["number"] * 4 == int(drawn["number"] * 4) and 0.5 <= drawn["number"] <= 1.5
        assert 1e-4 <= drawn["log"] <= 1


def holds(drawn: dict) -> bool:
    """Whether a drawing heeds the conditions."""
    momentum, nesterov = "model.optimizer.momentum" in drawn, "model.optimizer.nesterov" in drawn
    return momentum == (drawn["model.optimizer"] == "SGD") and nesterov == (
        momentum and drawn["model.optimizer.momentum"] > 0
    )


def test_conditions_hold(study):
    space = read_space(CONDITIONAL)
    assert all(holds(suggest(space, study.ask())) for _ in range(50))


def test_a_grid_is_every_combination_once():
    rows = grid(read_space(CONDITIONAL))
    assert len(rows) == len({tuple(row.items()) for row in rows}) == 3 * (1 + 1 + 2 + 2)
    assert all(map(holds, rows))


def test_values_of_a_grid_lie_in_the_space():
    (domain,) = read_space({"dropout": {"float": [0, 0.7], "step": 0.1}})
    assert len(domain.all()) == 8
    assert all(domain.distribution._contains(value) for value in domain.all())


def test_examples_have_every_choice_and_bound():
    space = read_space(CONDITIONAL)
    found = list(examples(space))
    assert all(map(holds, found))
    for domain in space:
        assert set(domain.ends()) <= {example.get(domain.key) for example in found}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([], "expected a list of one choice or more"),
        ([{"a": 1}], "cannot be a choice"),
        ([1, 1], "a choice twice"),
        (3, "expected a list of choices"),
        ({"flaot": [0, 1]}, "did you mean float?"),
        ({"float": [0, 1], "int": [0, 1]}, "found int and float"),
        ({"log": True}, "found none"),
        ({"float": [1, 0]}, "upside down"),
        ({"float": [0]}, "expected {float: [low, high]}"),
        ({"float": "wide"}, "expected {float: [low, high]}"),
        ({"float": [0, 1], "log": True}, "needs bounds > 0"),
        ({"int": [0.5, 2]}, "no whole numbers"),
        ({"float": [0, 1], "step": 2}, "expected a number from 0 to 1"),
        ({"int": [1, 5], "step": 0.5}, "a whole number"),
        ({"float": [0, 1], "log": "false"}, "true or false"),
        ({"float": [0, 1], "when": {"first": []}}, "is never"),
        ({"float": [0, 1], "when": "SGD"}, "expected {key: value}"),
        ({"float": [0, 1], "when": {"later": 1}}, "does not stand above it"),
        ({"float": [0, 1], "when": {"first": "c"}}, "it never is"),
    ],
)
def test_what_is_written_wrongly_is_named(entry, message):
    with pytest.raises(InputError) as error:
        read_space({"first": ["a", "b"], "second": entry})
    assert str(error.value).startswith("space.second: ") and message in str(error.value)


def test_a_grid_needs_an_end():
    with pytest.raises(InputError, match=r"space\.lr: a grid needs"):
        grid(read_space({"lr": {"float": [0, 1]}}))
