"""Pictures of a search."""

from typing import Any

import optuna
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from lit_anndl.studies.search_figures import search_figures
from lit_anndl.studies.space import suggest
from lit_anndl.studies.study_file import parse_definition
from tests.studies.conftest import SMALL

SPACE = {"model.optimizer": ["Adam", "SGD"], "model.optimizer.lr": {"float": [1e-4, 1e-1], "log": True}}


def drawn(spread: float) -> dict[str, Figure]:
    """The figures of a search of eight trials whose values span so many decades."""
    definition = parse_definition({**SMALL, "name": "decades", "space": SPACE})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    def value(trial: optuna.Trial) -> float:
        suggest(definition.domains, trial)
        return float(10 ** (-spread * trial.number / 7))

    study.optimize(value, n_trials=8)
    return dict(search_figures(definition, study.trials))


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return drawn(spread=3)


@pytest.mark.parametrize("name", ["history", "slices"])
@pytest.mark.parametrize(("spread", "scale"), [(3, "log"), (0.5, "linear")])
def test_values_over_decades_stand_on_a_logarithmic_axis(name: str, spread: float, scale: str) -> None:
    axes = [each for each in drawn(spread)[name].axes if each.get_label() != "<colorbar>"]
    assert axes and {each.get_yscale() for each in axes} == {scale}


def test_words_have_no_quotes(figures: dict[str, Figure]) -> None:
    for figure in figures.values():
        figure.canvas.draw()
        labels = [label.get_text() for axes in figure.axes for label in axes.get_xticklabels() + axes.get_yticklabels()]
        assert not any("'" in label for label in labels)
    assert {"Adam", "SGD"} <= {label.get_text() for axes in figures["slices"].axes for label in axes.get_xticklabels()}


def test_no_trial_is_white(figures: dict[str, Figure]) -> None:
    collections: list[Any] = figures["parallel_coordinates"].findobj(LineCollection)
    colours = [colour for each in collections if each.get_array() is not None for colour in each.to_rgba([0.001, 1])]
    assert colours and all(min(colour[:3]) < 0.9 for colour in colours)


def test_each_picture_has_a_title_of_its_own(figures: dict[str, Figure]) -> None:
    titles = {figure.get_suptitle() for figure in figures.values()}
    assert len(titles) == len(figures) == 4 and all(title.startswith("decades: ") for title in titles)
