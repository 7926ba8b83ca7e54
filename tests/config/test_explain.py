"""Errors of a real parser, explained."""

from collections.abc import Callable
from typing import Any

import pytest
from jsonargparse import ArgumentError, ArgumentParser
from jsonargparse.typing import PositiveInt
from torch.optim import Optimizer

from lit_anndl.config.explain import explain, suggestion, unknown_key
from lit_anndl.data.in_memory import InMemoryData
from lit_anndl.data.surface import SurfaceData

DATA = f"{SurfaceData.__module__}.{SurfaceData.__name__}"
KEYS = ["data", "data.noise", "data.batch_size", "optimizer", "optimizer.lr", "threads"]


@pytest.fixture(scope="module")
def parser() -> ArgumentParser:
    """A parser of the kinds of settings that an exercise has."""
    made = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    made.add_subclass_arguments(InMemoryData, "data", required=True)
    made.add_argument("--optimizer", type=Callable[[Any], Optimizer])
    made.add_argument("--threads", type=int | None)
    made.add_argument("--epochs", type=int, default=1)
    made.add_argument("--steps", type=PositiveInt, default=1)
    made.add_argument("--logger", type=bool | None)
    return made


def explained(parser: ArgumentParser, *words: str) -> str:
    with pytest.raises((ArgumentError, ValueError)) as caught:
        parser.parse_args([f"--data={DATA}", *words])
    line = explain(str(caught.value), KEYS, ["SGD", "Adam"])
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("data.batch_size", "0", "a whole number > 0"),
        ("data.batch_size", "many", "a whole number > 0"),
        ("data.batch_size", "1.5", "a whole number > 0"),
        ("data.batch_size", "two words", "a whole number > 0"),
        ("data.validation_size", "-1", "a whole number ≥ 0"),
        ("data.noise", "-0.1", "a number ≥ 0"),
        ("data.noise", "loud", "a number ≥ 0"),
        ("threads", "1.5", "a whole number"),
        ("data.batch_size", "[]", "a whole number > 0"),
        ("data.noise", "[0.1, 0.2]", "a number ≥ 0"),
        ("threads", "[]", "a whole number"),
        ("optimizer", "[]", "a class"),
        ("logger", "perhaps", "true or false"),
    ],
)
def test_value_that_does_not_fit(parser: ArgumentParser, key: str, value: str, expected: str) -> None:
    assert explained(parser, f"--{key}={value}") == f"{key}: {value} was given, expected {expected}"


def test_value_that_does_not_fit_a_plain_type(parser: ArgumentParser) -> None:
    assert explained(parser, "--epochs=ten") == "epochs: ten was given, expected a whole number"
    assert explained(parser, "--steps=[]") == "steps: list was given, expected a whole number > 0"


def test_argument_of_a_class_that_does_not_fit(parser: ArgumentParser) -> None:
    line = explained(parser, "--optimizer=SGD", "--optimizer.lr=fast")
    assert line == "optimizer.lr: fast was given, expected a number"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--data.nose=1"], "data.nose: there is no such setting; did you mean data.noise?"),
        (["--dta.noise=1"], "dta.noise: there is no such setting; did you mean data.noise?"),
        (["--thread=1"], "thread: there is no such setting; did you mean threads?"),
        (["--nothing.like.it"], "nothing.like.it: there is no such setting"),
        (
            ["--optimizer=SGD", "--optimizer.lrr=1"],
            "optimizer.lrr: there is no such setting; did you mean optimizer.lr?",
        ),
    ],
)
def test_unknown_key(parser: ArgumentParser, words: list[str], line: str) -> None:
    assert explained(parser, *words) == line


@pytest.mark.parametrize(
    ("name", "hint"), [("SGDD", "; did you mean SGD?"), ("adam", "; did you mean Adam?"), ("X", "")]
)
def test_unknown_class(parser: ArgumentParser, name: str, hint: str) -> None:
    assert explained(parser, f"--optimizer={name}") == f"optimizer: there is no class {name}{hint}"


def test_what_is_not_understood_is_kept_on_one_line() -> None:
    assert explain("Something\n  else\twent wrong. \n", KEYS) == "Something else went wrong."


@pytest.mark.parametrize("key", KEYS)
def test_suggestions_are_valid_keys(key: str) -> None:
    assert unknown_key(f"{key}x", KEYS).endswith(f"; did you mean {key}?")


def test_siblings_are_preferred_to_distant_keys() -> None:
    assert unknown_key("data.lr", [*KEYS, "data.lrs"]).endswith("did you mean data.lrs?")


def test_no_suggestion_is_better_than_a_far_one() -> None:
    assert suggestion("zzz", KEYS) == ""
    assert suggestion("noise", []) == ""


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("lr", "model.optimizer.lr"),
        ("learning_rate", "model.optimizer.lr"),
        ("model.optimizer.learning_rate", "model.optimizer.lr"),
        ("epochs", "trainer.max_epochs"),
    ],
)
def test_a_name_is_found_wherever_it_belongs(key: str, meant: str) -> None:
    keys = ["model.optimizer", "model.optimizer.lr", "trainer.max_epochs", "data.batch_size"]
    assert unknown_key(key, keys) == f"{key}: there is no such setting; did you mean {meant}?"


def test_capitals_are_no_difference() -> None:
    assert suggestion("Sgd", ["SGD", "Adam"]) == "; did you mean SGD?"
