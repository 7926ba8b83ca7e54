"""A store that was moved with its folder."""

from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlflow import MlflowClient
from mlflow.entities import ViewType
from sqlalchemy import URL, create_engine, text

from lit_anndl.tracking.store import ARTIFACTS, artifacts_beside


def follow_move(client: MlflowClient, database: Path) -> None:
    """Has a local store find its artifacts again, which MLflow remembers by the place where they were.

    Rewritten are the places of experiments whose place is gone, when the artifacts of one of their runs are here.
    """
    here = artifacts_beside(database)
    experiments = client.search_experiments(view_type=ViewType.ALL)
    left = [experiment for experiment in experiments if _has_left(experiment.artifact_location)]
    moved = {each.artifact_location for each in left if _has_runs_in(here, client, each.experiment_id)}
    if moved:
        _rewrite(database, moved, here.as_uri())


def _has_left(place: str) -> bool:
    """Whether a folder of artifacts on this machine is not there any more."""
    parts = urlsplit(place)
    path = Path(url2pathname(parts.path))
    return parts.scheme == "file" and path.name == ARTIFACTS and not path.exists()


def _has_runs_in(folder: Path, client: MlflowClient, experiment: str) -> bool:
    """Whether a folder holds the artifacts of one of an experiment's latest runs."""
    runs = client.search_runs([experiment], run_view_type=ViewType.ALL, max_results=100)
    return any((folder / run.info.run_id).is_dir() for run in runs)


def _rewrite(database: Path, moved: Collection[str], here: str) -> None:
    """Puts one place in the stead of others, in MLflow's tables, for which it has no command."""
    engine = create_engine(URL.create("sqlite", database=str(database)))
    with engine.begin() as connection:
        for place in moved:
            values = {"old": place, "new": here, "length": len(place), "below": f"{place}/"}
            connection.execute(
                text("UPDATE experiments SET artifact_location = :new WHERE artifact_location = :old"), values
            )
            connection.execute(
                text(
                    "UPDATE runs SET artifact_uri = :new || substr(artifact_uri, :length + 1) "
                    "WHERE substr(artifact_uri, 1, :length + 1) = :below"
                ),
                values,
            )
    engine.dispose()
