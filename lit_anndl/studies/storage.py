"""Where studies are kept: an Optuna storage in an SQLite file, or in PostgreSQL for several machines."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TypeVar
from zlib import crc32

from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from lit_anndl.errors import InputError
from lit_anndl.paths import run_store
from lit_anndl.tracking.store import first_line, sqlite_path, without_password

log = logging.getLogger(__name__)

VARIABLE = "LIT_ANNDL_STORAGE"
PATIENCE_SECONDS = 120.0
"""How long a database may be away, while it is restarted for instance."""

SERVER = {
    "pool_pre_ping": True,
    "connect_args": {"connect_timeout": 10, "options": "-c statement_timeout=30s -c tcp_user_timeout=30s"},
}
"""Across a restart of PostgreSQL a statement fails, and is tried again, rather than wait for ever."""

UNREACHABLE = (DBAPIError, StorageInternalError)

T = TypeVar("T")


class Storage:
    """The database of studies.

    Args:
        address: `sqlite:///FILE` or `postgresql://[USER[:PASSWORD]@]HOST/DATABASE`; by default that of
            LIT_ANNDL_STORAGE, or else `mlruns/optuna.db`.

    Raises:
        InputError: the address is of another kind.
    """

    def __init__(self, address: str | None = None) -> None:
        self.address = address or os.environ.get(VARIABLE) or f"sqlite:///{run_store() / 'optuna.db'}"
        self.shown, self._password = without_password(self.address)
        self.file = sqlite_path(self.address)
        if not self.file and not self.address.startswith(("postgresql://", "postgresql+psycopg://")):
            raise InputError(f"storage {self.shown}: expected sqlite:///FILE or postgresql://USER@HOST/DATABASE")

    def connect(self) -> RDBStorage:
        """The storage for Optuna; its tables are made if need be, by one process while the others wait.

        Raises:
            InputError: it cannot be reached.
        """
        if self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.locked("tables"):
                return RDBStorage(self._url, engine_kwargs={} if self.file else SERVER)
        except (SQLAlchemyError, StorageInternalError, OSError, ImportError, RuntimeError) as error:
            reason = first_line(error)
            reason = reason.replace(self._password, "***") if self._password else reason
            raise InputError(f"storage {self.shown} cannot be used: {reason[:300]}") from error

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Held by one process of all machines at a time."""
        if self.file:
            folder = self.file.with_name(f".{self.file.name}.locks")
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f"{crc32(name.encode()):08x}"):
                yield
        else:
            with self._lock_engine.connect() as connection:  # closing it lets go
                connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": crc32(name.encode())})
                yield

    @cached_property
    def _lock_engine(self) -> Engine:
        return create_engine(self._url, poolclass=NullPool)

    @property
    def _url(self) -> str:
        return self.address.replace("postgresql://", "postgresql+psycopg://", 1)


def patiently(action: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """The result of an action that may be repeated, tried again while the database is away."""
    end = time.monotonic() + seconds
    warned = False
    while True:
        try:
            return action()
        except UNREACHABLE as error:
            if time.monotonic() > end:
                raise
            if not warned:
                log.warning("the study's database does not answer (%s); trying again", type(error).__name__)
            warned = True
            time.sleep(1)
