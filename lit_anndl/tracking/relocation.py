"""A store that was moved with its folder."""

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlflow import MlflowClient
from mlflow.entities import ViewType
from sqlalchemy import URL, create_engine, text

ARTIFACTS = "artifacts"


def follow_move(client: MlflowClient, database: Path) -> None:
    """Has a local store find its artifacts again, which MLflow remembers by the place where they were.

    A place is left alone if it still exists, or if it is not one that this project chose.
    """
    here = (database.parent / ARTIFACTS).absolute()
    if not here.is_dir():
        return
    experiments = client.search_experiments(view_type=ViewType.ALL)
    places = {experiment.artifact_location for experiment in experiments} - {here.as_uri()}
    if moved := [place for place in places if has_left(place)]:
        rewrite(database, moved, here.as_uri())


def has_left(place: str) -> bool:
    """Whether a folder of artifacts on this machine is not there any more."""
    parts = urlsplit(place)
    path = Path(url2pathname(parts.path))
    return parts.scheme == "file" and path.name == ARTIFACTS and not path.exists()


def rewrite(database: Path, moved: list[str], here: str) -> None:
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
