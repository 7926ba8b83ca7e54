import copy
from typing import Any

import pytest

from lit_anndl.config.merge import flatten, is_class, look_up, merge, named_settings, nest, same_class

ADAM = {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.001, "fused": True}}
MODEL = {"class_path": "a.b.Model", "init_args": {"hidden": 50, "optimizer": ADAM}}
CONFIGS: list[dict[str, Any]] = [
    {},
    {"a": 1},
    {"a": None, "b": 2},
    {"a": {"x": 1, "y": [1, 2]}, "c": 3},
    {"a": {"y": [3], "z": {"deep": 1}}},
    {"model": MODEL, "a": 1},
]
ALIKE = [CONFIGS[0], *CONFIGS[3:5], {"model": MODEL}, {"model": {**MODEL, "class_path": "a.b.Other"}}]
TOPS: list[Any] = [
    {"hidden": 3},
    {"init_args": {"hidden": 3}},
    {"class_path": "a.b.Model", "init_args": {"hidden": 3}},
    {"class_path": "Model", "init_args": {"hidden": 3}},
]


@pytest.mark.parametrize("config", CONFIGS)
def test_nothing_changes_nothing(config: dict[str, Any]) -> None:
    assert merge(config, {}) == config
    assert merge({}, config) == config
    assert merge(config, config) == config


@pytest.mark.parametrize("top", CONFIGS)
@pytest.mark.parametrize("base", CONFIGS)
def test_configs_stay_as_they_are(base: dict[str, Any], top: dict[str, Any]) -> None:
    before = copy.deepcopy((base, top))
    merge(base, top)
    assert (base, top) == before


@pytest.mark.parametrize("two", ALIKE)
@pytest.mark.parametrize("one", ALIKE)
def test_configs_may_be_grouped_either_way(one: dict[str, Any], two: dict[str, Any]) -> None:
    for three in ALIKE:
        assert merge(merge(one, two), three) == merge(one, merge(two, three))


@pytest.mark.parametrize("top", CONFIGS)
@pytest.mark.parametrize("base", CONFIGS)
def test_settings_of_the_top_win_and_the_others_stay(base: dict[str, Any], top: dict[str, Any]) -> None:
    both, above = flatten(merge(base, top)), flatten(top)
    assert both.items() >= above.items()
    replaced = {key for key in flatten(base) for other in above if key.startswith(f"{other}.") or key == other}
    nested = {key for key in flatten(base) for other in above if other.startswith(f"{key}.")}
    for key, value in flatten(base).items():
        assert key in replaced | nested or both[key] == value


@pytest.mark.parametrize("top", TOPS)
def test_same_class_keeps_its_other_arguments(top: dict[str, Any]) -> None:
    laid = merge({"model": MODEL}, {"model": top})
    assert look_up(laid, "model.hidden") == 3
    assert look_up(laid, "model.optimizer") == ADAM


@pytest.mark.parametrize("top", ["SGD", {"class_path": "torch.optim.SGD"}, {"class_path": "torch.optim.SGD", "lr": 1}])
def test_another_class_takes_nothing_over(top: Any) -> None:
    laid = merge(MODEL, {"optimizer": top})
    assert look_up(laid, "optimizer.lr") is None
    assert look_up(laid, "optimizer.fused") is None
    assert look_up(laid, "hidden") == 50
    assert look_up(laid, "optimizer")["class_path"].endswith("SGD")


def test_another_class_comes_with_its_arguments() -> None:
    sgd = {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1}}
    assert look_up(merge(MODEL, {"optimizer": sgd}), "optimizer") == sgd


def test_class_given_by_its_short_name_keeps_the_arguments() -> None:
    laid = merge(MODEL, {"optimizer": "Adam"})
    assert look_up(laid, "optimizer.lr") == 0.001


@pytest.mark.parametrize("value", [None, 3, [1]])
def test_what_is_no_class_replaces_one(value: Any) -> None:
    assert look_up(merge(MODEL, {"optimizer": value}), "optimizer") == value


@pytest.mark.parametrize("value", [0, None, "text", [1, 2], {"c": 1}, ADAM])
@pytest.mark.parametrize("key", ["a", "a.b", "a.b.c"])
def test_looked_up_is_what_was_nested(key: str, value: Any) -> None:
    assert look_up(nest(key, value), key) == value


@pytest.mark.parametrize("value", [0, None, "text", [1, 2]])
@pytest.mark.parametrize("key", ["a", "a.b", "a.b.c"])
def test_flattening_undoes_nesting(key: str, value: Any) -> None:
    assert flatten(nest(key, value)) == {key: value}


@pytest.mark.parametrize("config", CONFIGS)
def test_flattened_keys_can_be_looked_up(config: dict[str, Any]) -> None:
    for key, value in flatten(config).items():
        found = look_up(config, key)
        assert (found["class_path"] if is_class(found) else found) == value


def test_settings_name_classes_as_the_command_line_does() -> None:
    settings = named_settings({"model": MODEL, "path": "a.b.c"})
    assert settings == {
        "model": "Model",
        "model.hidden": 50,
        "model.optimizer": "Adam",
        "model.optimizer.lr": 0.001,
        "model.optimizer.fused": True,
        "path": "a.b.c",
    }


def test_flattened_keys_leave_init_args_out() -> None:
    assert flatten({"model": MODEL}) == {
        "model": "a.b.Model",
        "model.hidden": 50,
        "model.optimizer": "torch.optim.Adam",
        "model.optimizer.lr": 0.001,
        "model.optimizer.fused": True,
    }


@pytest.mark.parametrize("key", ["absent", "model.absent", "model.hidden.deeper", "model.optimizer.lr.deeper", "x.y.z"])
def test_nothing_is_looked_up_where_nothing_is(key: str) -> None:
    assert look_up({"model": MODEL}, key) is None


@pytest.mark.parametrize("init_args", [{}, {"init_args": None}, {"init_args": {}}])
def test_class_without_arguments(init_args: dict[str, Any]) -> None:
    config = {"data": {"class_path": "a.Data", **init_args}}
    assert flatten(config) == {"data": "a.Data"}
    assert look_up(config, "data.noise") is None
    assert look_up(merge(config, {"data": {"noise": 1}}), "data.noise") == 1


@pytest.mark.parametrize(
    ("path", "other", "same"),
    [
        ("torch.optim.Adam", "torch.optim.Adam", True),
        ("torch.optim.Adam", "Adam", True),
        ("Adam", "Adam", True),
        ("torch.optim.Adam", "SGD", False),
        ("torch.optim.Adam", "other.Adam", False),
        ("torch.optim.Adam", "dam", False),
    ],
)
def test_names_of_one_class(path: str, other: str, same: bool) -> None:
    assert same_class(path, other) is same
    assert same_class(other, path) is same
