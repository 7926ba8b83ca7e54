"""Views of MLflow's UI that compare the runs of a study, laid out for whoever opens them."""

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

_COMPARISON = {"workflowType": "machine_learning", "compareRunsMode": "CHART"}
SHARED_VIEW = "mlflow.sharedViewState."
"""An experiment's tags of this prefix are views that MLflow's own "share" button has saved."""
_EVERY_RUN = {"searchFilter": "tags.seed != ''", "orderByKey": "tags.`mlflow.runName`", "orderByAsc": "true"}
"""Only what has trained, by name: in the order of time MLflow would fold the runs of studies under their parents."""
_LARGEST_PICTURE = 100
"""Runs in one picture of parallel coordinates."""
_CARD = {"runsCountToCompare": _LARGEST_PICTURE, "deleted": False, "isGenerated": False}
"""What all charts have."""


def charts_page(server: str, experiment: str, study: str | None = None) -> str:
    """Where a server shows the charts of an experiment's runs, or of a study's alone."""
    view = {"viewStateShareKey": study} if study else _EVERY_RUN
    return f"{server}/#/experiments/{experiment}/runs?{urlencode({**_COMPARISON, **view})}"


def run_page(server: str, experiment: str, run_id: str) -> str:
    """Where a server shows a run."""
    return f"{server}/#/experiments/{experiment}/runs/{run_id}"


def _parallel_card(metric: str, parameters: Sequence[str]) -> dict[str, Any]:
    """Parallel coordinates of what was varied and what came of it."""
    return {
        **_CARD, "uuid": "varied", "type": "PARALLEL", "showAllRuns": True, "metricSectionId": "comparison",
        "selectedParams": [*parameters], "selectedMetrics": [metric],
    }  # fmt: skip


def _bar_card(metric: str) -> dict[str, Any]:
    """A bar per run, of a metric that is measured once."""
    names = {"uuid": metric, "metricKey": metric, "displayName": metric}
    return {**_CARD, **names, "type": "BAR", "metricSectionId": "comparison"}


def _image_card(key: str) -> dict[str, Any]:
    """A figure of each run, without the run's parameters above it."""
    shown = {"imageKeys": [key], "step": 0, "showRunParams": False}
    return {**_CARD, **shown, "uuid": key, "type": "IMAGE", "metricSectionId": "figures"}


def shared_view(
    parent: str,
    metric: str,
    *,
    ascending: bool,
    parameters: Sequence[str],
    finals: Sequence[str],
    figures: Sequence[str] = (),
) -> str:
    """The tag's value: the runs under a parent, best first, listed as runs of their own.

    Args:
        parent: its run id.
        metric: what the runs are compared by.
        ascending: whether less is better.
        parameters: what was varied, for parallel coordinates.
        finals: metrics that are measured once, for bars; MLflow itself adds the curves of all others.
        figures: the runs' figures; MLflow adds those that are not named, each below all parameters of its run.
    """
    images = [_image_card(f"figures/{name}") for name in figures]
    shown = {"display": True, "isReordered": False, "deleted": False}
    sections = [{**shown, "uuid": name, "name": name} for name in ("comparison", *(["figures"] if images else []))]
    view: dict[str, Any] = {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{parent}'",
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": ascending,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "compareRunCharts": [
            _parallel_card(metric, parameters),
            *map(_bar_card, finals),
            *images,
        ],
        "compareRunSections": sections,
        "isAccordionReordered": True,
    }
    return "deflate;" + base64.b64encode(zlib.compress(json.dumps(view).encode())).decode()
