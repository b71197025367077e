"""Connections to an index's database, with what SQLite must be told to behave as PostgreSQL does."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from chartseal.chain import faults
from chartseal.errors import IndexingError, MissingExtraError

_DRIVERS = {"sqlite": "sqlite", "sqlite+pysqlite": "sqlite", "postgresql": "psycopg", "postgresql+psycopg": "psycopg"}
_PATIENCE_MS = 10_000
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = NORMAL",
    f"busy_timeout = {_PATIENCE_MS}",
    "cache_size = -65536",  # 64 MiB: keys are hashes, and fall anywhere in their trees
    "wal_autocheckpoint = 8000",  # pages, 32 MiB: each checkpoint waits for the disk
)
_ANSWER = 10
"""Seconds in which PostgreSQL's server answers who connects."""
_WRITES = "chartseal_writes"
_LOCK = 0x6368_6172_7473_6561
"""PostgreSQL's advisory lock of the one follower: "chartsea"."""


def connect(url: str, *, create: bool = False) -> Engine:
    """An engine for `sqlite:///file` or `postgresql+psycopg://…`.

    In SQLite a read transaction is a snapshot beside which the follower goes on writing (WAL), as in PostgreSQL at
    REPEATABLE READ. A file that does not exist is made where `create` says so.

    Raises:
        IndexingError: `index_url`; the URL is not shown, since it may hold a password. `index_empty`: no such file.
        MissingExtraError: PostgreSQL's client is not installed.
    """
    try:
        parsed = make_url(url)
        driver = _DRIVERS.get(parsed.drivername)
        if driver is None:
            raise IndexingError("an index's URL begins with sqlite:/// or postgresql+psycopg://", "index_url")
        if driver == "psycopg":
            made, waiting = parsed.set(drivername="postgresql+psycopg"), {"connect_timeout": _ANSWER}
            return create_engine(made, isolation_level="REPEATABLE READ", connect_args=waiting)
        is_file = parsed.database not in (None, "", ":memory:")
        if is_file and not create and not Path(str(parsed.database)).is_file():
            raise IndexingError("there is no such index: `chartseal index run` makes one", "index_empty")
        options = {} if is_file else {"poolclass": StaticPool}
        engine = create_engine(parsed, connect_args={"check_same_thread": False}, **options)
    except (ArgumentError, ValueError):
        raise IndexingError("an index's URL begins with sqlite:/// or postgresql+psycopg://", "index_url") from None
    except ImportError:
        raise MissingExtraError("an index in PostgreSQL needs the extra `postgres`") from None
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def writing(engine: Engine) -> Engine:
    """The same engine, whose transactions will write.

    SQLite takes the lock as they begin, waiting for whoever has it: a transaction that has read already fails at once.
    """
    return engine.execution_options(**{_WRITES: True})


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare(connection: Any, record: object) -> None:
    # The driver would begin transactions at the first change only: no snapshot for readers, and tables outside them.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def sole_follower(engine: Engine) -> Iterator[None]:
    """Hold the right to write this index; it ends with the process, however that ends.

    Raises:
        IndexingError: `index_in_use`, or `index_unreachable`.
    """
    holding = _advisory_lock(engine) if engine.dialect.name == "postgresql" else _file_lock(engine)
    with holding:
        yield


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[None]:
    with translated(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar():
            raise _in_use()
        try:
            yield
        finally:
            connection.invalidate()  # the session ends, and the lock with it


@contextmanager
def _file_lock(engine: Engine) -> Iterator[None]:
    database = engine.url.database
    if database in (None, "", ":memory:"):
        yield  # nobody else can see it
        return
    try:
        stream = Path(f"{database}.lock").open("a")  # noqa: SIM115 (closed below)
    except OSError as exc:
        raise IndexingError(f"the index's lock cannot be opened: {exc.strerror}", "index_unreachable") from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise _in_use() from None
        yield


def _in_use() -> IndexingError:
    return IndexingError("another follower writes this index", "index_in_use")


@contextmanager
def translated() -> Iterator[None]:
    """A database's own errors as ours: their text may hold values, addresses and passwords.

    Raises:
        IndexingError: `index_unreachable`.
    """
    try:
        yield
    except SQLAlchemyError as exc:
        raise IndexingError(f"the index's database cannot be used: {faults.told(exc)}", "index_unreachable") from None
