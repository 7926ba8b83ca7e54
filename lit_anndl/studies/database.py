"""Where studies are kept: an Optuna storage in an SQLite file, or in PostgreSQL for several machines."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import URL, create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from lit_anndl.runtime.addresses import read_address, shown, sqlite_address, without_passwords
from lit_anndl.runtime.errors import InputError, RunFailure, Stopped, first_line
from lit_anndl.runtime.paths import run_store

_log = logging.getLogger(__name__)

VARIABLE = "LIT_ANNDL_STORAGE"
_DRIVER = "postgresql+psycopg"
_KINDS = "sqlite:///FILE or postgresql://USER@HOST/DATABASE"
PATIENCE_SECONDS = 120.0
"""How long a database may be away, while it is restarted for instance."""

_LOCK_POLL_SECONDS = 0.1

_CONNECTION: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 30_000,
    "options": "-c statement_timeout=30s -c tcp_user_timeout=30s"
    " -c tcp_keepalives_idle=20 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=2",
}
"""Where PostgreSQL, a client's machine or the network between them is gone, the other side notices within half a
minute: a statement fails, and is tried again, rather than wait for ever; a lock is let go."""

UNREACHABLE = (DBAPIError, StorageInternalError)

_T = TypeVar("_T")


class DatabaseLost(RunFailure):
    """The database of studies stays away."""


class StudyDatabase:
    """The database of studies.

    Args:
        address: `sqlite:///FILE` or `postgresql://[USER[:PASSWORD]@]HOST/DATABASE`; by default that of
            LIT_ANNDL_STORAGE, or else `mlruns/optuna.db`.

    Raises:
        InputError: the address is of another kind, or malformed.
    """

    def __init__(self, address: str | None = None) -> None:
        if address is None:
            address = os.environ.get(VARIABLE) or sqlite_address(run_store() / "optuna.db")
        self._url = read(address)
        self.address = self._url.render_as_string(hide_password=False)
        self.shown = shown(self._url)
        self.file = Path(self._url.database or "") if self._url.drivername == "sqlite" else None

    def connect(self, patience: float = 0.0) -> RDBStorage:
        """The storage for Optuna; its tables are made if need be, by one process while the others wait.

        Args:
            patience: so many seconds it may be away.

        Raises:
            InputError: it cannot be reached.
        """
        try:
            return retry(self._connect, patience)
        except (SQLAlchemyError, DatabaseLost, OSError, ImportError, RuntimeError) as error:
            reason = without_passwords(first_line(_cause(error)), self._url)
            raise InputError(f"storage {self.shown} cannot be used: {reason[:300]}") from error

    def _connect(self) -> RDBStorage:
        if self.file:
            self.file.parent.mkdir(exist_ok=True)
        with self.locked("tables"):
            engine = {} if self.file else {"pool_pre_ping": True, "connect_args": _CONNECTION}
            return RDBStorage(self._engine_url.render_as_string(hide_password=False), engine_kwargs=engine)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Held by one process of all machines at a time.

        A PostgreSQL server that ends the connection lets go, and tells nobody: then two are within at once. So what is
        done under a lock may be done twice.
        """
        key = crc32(name.encode())
        if self.file:
            folder = self.file.with_name(f".{self.file.name}.locks")
            folder.mkdir(exist_ok=True)
            with FileLock(folder / f"{key:08x}"):
                yield
            return
        connection = self._lock_engine.connect()
        try:
            while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}):
                time.sleep(_LOCK_POLL_SECONDS)
            yield
        finally:
            with suppress(SQLAlchemyError):  # the server has ended the connection; what was done is done
                connection.close()

    @property
    def _engine_url(self) -> URL:
        return self._url if self.file else self._url.set(drivername=_DRIVER)

    @cached_property
    def _lock_engine(self) -> Engine:
        return create_engine(
            self._engine_url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=_CONNECTION
        )


def read(address: str) -> URL:
    """The parts of an address of studies.

    Raises:
        InputError: it is of another kind, or malformed.
    """
    kind, sign, _ = address.partition("://")
    try:
        url = read_address(address)
    except ValueError as error:
        given = f" {kind}{sign}…" if sign else ""  # the rest may hold a password
        raise InputError(f"storage{given}: {error}; expected {_KINDS}") from error
    if kind == "sqlite":
        return _check_file(url)
    if kind not in ("postgresql", _DRIVER):
        raise InputError(f"storage {shown(url)}: expected {_KINDS}")
    return url


def _check_file(url: URL) -> URL:
    """An SQLite address, if a file can be there."""
    file = Path(url.database or "")
    if not file.name or file.name == ":memory:" or url.host or url.query:
        raise InputError(f"storage {shown(url)}: expected sqlite:///FILE, and no options")
    if file.is_dir():
        raise InputError(f"storage {shown(url)}: expected a file, found a folder")
    if not (above := file.absolute().parent.parent).is_dir():
        raise InputError(f"storage {shown(url)}: there is no folder {above}")
    return url


def retry(action: Callable[[], _T], seconds: float = PATIENCE_SECONDS) -> _T:
    """The result of an action that may be repeated, tried again while the database is away.

    Raises:
        DatabaseLost: it stays away.
        Stopped: a signal has ended the action, and an error of the database has hidden it.
    """
    end, handled = time.monotonic() + seconds, sys.exception()  # what a worker that ends is about already
    warned = False
    while True:
        try:
            return action()
        except UNREACHABLE as error:
            if (stopped := _stopped_in(error)) and stopped is not handled:
                raise stopped from None
            if time.monotonic() >= end:
                reason = first_line(_cause(error))
                raise DatabaseLost(f"the study's database is away: {reason}; the same command goes on") from error
            if not warned:
                _log.warning("the study's database does not answer (%s); trying again", type(error).__name__)
            warned = True
            time.sleep(1)


def _stopped_in(error: BaseException | None) -> Stopped | None:
    """The signal that broke a statement off: the driver's own error, as it cleans up, hides it."""
    if error is None or isinstance(error, Stopped):
        return error
    return _stopped_in(error.__cause__) or _stopped_in(error.__context__)


def _cause(error: BaseException) -> BaseException:
    """What an error began with: the driver's, that SQLAlchemy and Optuna raise theirs from."""
    return _cause(error.__cause__) if error.__cause__ else error
