"""The way to a tracking store: its address read, its client opened."""

from pathlib import Path

from filelock import FileLock
from mlflow import MlflowClient
from sqlalchemy import URL, create_engine
from sqlalchemy.pool import NullPool

from lit_anndl.runtime.addresses import read_address, shown
from lit_anndl.runtime.errors import InputError

_KINDS = "sqlite:///FILE, http://HOST or postgresql://USER@HOST/DATABASE"
_CONNECT_SECONDS = 5
"""How long a database server may take to answer, at each of its addresses."""


def read_uri(address: str) -> URL:
    """The parts of a tracking store's address.

    Raises:
        InputError: it is none, or that of an SQLite database without a file.
    """
    try:
        url = read_address(address)
    except ValueError as error:  # a password may be in what was given
        raise InputError(f"MLFLOW_TRACKING_URI: {error}; expected {_KINDS}") from error
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise InputError(f"MLFLOW_TRACKING_URI: {shown(url)} was given, expected {_KINDS}")
    return url


def open_client(uri: str, database: Path | None) -> MlflowClient:
    """A client that has reached its store; first starts on an empty database race in MLflow, so they queue here."""
    if database is None:
        _reach(uri)
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
        return client
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock"):
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    return client


def _reach(uri: str) -> None:
    """Connects to a database server once: MLflow itself would try for a minute and a half."""
    if uri.startswith(("postgresql", "mysql")):
        engine = create_engine(uri, poolclass=NullPool, connect_args={"connect_timeout": _CONNECT_SECONDS})
        with engine.connect():
            pass
