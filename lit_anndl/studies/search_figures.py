"""What a search shows: Optuna's pictures, on scales on which the values can be told apart."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import optuna
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from optuna import Study
from optuna.trial import FrozenTrial, TrialState, create_trial
from optuna.visualization.matplotlib import (
    plot_optimization_history,
    plot_parallel_coordinate,
    plot_param_importances,
    plot_slice,
)

from lit_anndl.plots.scales import label_plainly, scale_of
from lit_anndl.studies.definition import Definition

_TITLES = {
    "history": "value of each trial, and the best so far",
    "slices": "value against each setting",
    "parallel_coordinates": "settings and value of each trial",
    "importance": "how much of the values' spread each setting explains",
}


def search_figures(definition: Definition, trials: Sequence[FrozenTrial]) -> Iterator[tuple[str, Figure]]:
    """Names and figures."""
    study, complete = _in_memory(definition, trials)
    # Optuna would judge all settings by those trials alone that have the conditional ones.
    options: dict[str, dict[str, Any]] = {"importance": {"params": definition.varied}}
    pictures: dict[str, Callable[..., Any]] = {
        "history": plot_optimization_history,
        "slices": plot_slice,
        "parallel_coordinates": plot_parallel_coordinate,
        "importance": plot_param_importances,
    }
    scale = scale_of([trial.value for trial in complete if trial.value is not None])
    with mpl.rc_context({"backend": "Agg"}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are marked experimental
        pyplot.switch_backend("Agg")
        for name, draw in pictures.items():
            try:
                drawn = list(np.ravel(draw(study, **options.get(name, {"target_name": definition.metric}))))
            except (ValueError, RuntimeError):  # all values alike, or nothing varied
                continue
            yield name, _finished(drawn, name, definition.name, scale)
            pyplot.close(drawn[0].figure)


def _in_memory(definition: Definition, trials: Sequence[FrozenTrial]) -> tuple[Study, list[FrozenTrial]]:
    """The complete trials as a study of their own, under the numbers that they have: others hold a place as failed."""
    complete = {trial.number: trial for trial in trials if trial.state is TrialState.COMPLETE}
    study = optuna.create_study(direction=definition.direction)
    failed = create_trial(state=TrialState.FAIL)
    study.add_trials(complete.get(number, failed) for number in range(max(complete, default=-1) + 1))
    return study, list(complete.values())


def _finished(drawn: Sequence[Axes], name: str, study: str, scale: str) -> Figure:
    """A picture with its title, the values on a logarithmic axis if they spread, words without quotes."""
    figure: Figure = drawn[0].figure  # type: ignore[assignment]  # no subfigures here
    for axes in figure.axes:
        if name in ("history", "slices") and axes.get_label() != "<colorbar>":
            axes.set_yscale(scale)
        for shown in (*axes.findobj(LineCollection), *axes.findobj(PathCollection)):
            shown.set_cmap("viridis")  # the worst trial, or the first, would be white
        if legend := axes.get_legend():
            legend.remove()
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":  # few labels, which do not run into each other
                label_plainly(axis)
            labels = [label.get_text() for label in axis.get_ticklabels()]
            if any(label.startswith("'") for label in labels):
                axis.set_ticks(axis.get_ticklocs(), [label.strip("'") for label in labels])
    for axes in drawn:
        axes.set_title("", loc="left")
        axes.set_title("", loc="center")
        if name == "slices":
            axes.tick_params(axis="x", rotation=45)
    figure.suptitle(f"{study}: {_TITLES[name]}", fontsize=11)
    figure.set_size_inches(max(8.0, 3.4 * len(drawn), 1.6 * len(figure.axes)), 5)
    return figure
