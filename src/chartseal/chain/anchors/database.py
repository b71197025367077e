"""The database that a queue lives in: one of its own, or whatever connection a vault gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from chartseal.chain import faults
from chartseal.errors import MissingExtraError, QueueError

_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}
_READS = "chartseal_reads"
_PATIENCE = 30
"""Seconds that a writer waits for another in SQLite."""
_ANSWER = 10
"""Seconds in which PostgreSQL's server answers who connects."""
_MIGRATING = 0x616E63686F72
"""Key of the lock under which PostgreSQL's schema is changed."""


def open_queue(place: str, *, create: bool = True) -> Engine:
    """The database at an SQLAlchemy URL, or at a path (SQLite), with its tables made or brought up to date.

    In SQLite every transaction that may write takes the write lock at once and is on disk when it ends. Without
    `create` a file must be there already; one that is made is its owner's alone (mode 0600), since it tells which seals
    were made together, and holds audit statements.

    Raises:
        QueueError: `queue_unavailable`, `queue_url`, `queue_missing`, `queue_version`; no message shows the URL, which
            may hold a password.
        MissingExtraError: PostgreSQL's driver is not installed.
    """
    url = _url(place)
    is_file = url.drivername == "sqlite"
    if is_file and not create and not Path(str(url.database)).is_file():
        raise QueueError("there is no such queue: `chartseal anchor add` makes one", "queue_missing")
    waiting = {"timeout": _PATIENCE} if is_file else {"connect_timeout": _ANSWER}
    if is_file:
        _make_private(Path(str(url.database)))
    with storing():
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=waiting)
        if is_file:
            event.listen(engine, "connect", _on_connect)
            event.listen(engine, "begin", _on_begin)
        with engine.begin() as connection:
            upgrade(connection)
        return engine


def _url(place: str) -> URL:
    try:
        url = make_url(place) if "://" in place else URL.create("sqlite", database=place)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in _DRIVERS or not url.database:
        raise QueueError("a queue is an SQLite file or at postgresql+psycopg://…", "queue_url")
    if url.drivername == "sqlite" and (url.database == ":memory:" or url.query):
        raise QueueError("a queue in SQLite is a file: nothing else outlives the command", "queue_url")
    return url.set(drivername=_DRIVERS[url.drivername])


def _make_private(path: Path) -> None:
    """Make the file, if there is none, readable by its owner alone; SQLite gives its companions the same mode."""
    with suppress(OSError):  # it is there already, or SQLite says better why it cannot be
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _on_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy begins them, not where the driver likes
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")


def _on_begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get(_READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def upgrade(connection: Connection) -> None:
    """Make the tables, or bring them up to date, in the caller's transaction.

    Raises:
        QueueError: `queue_unavailable`, or `queue_version`: a newer program made them.
    """
    config = Config()
    config.set_main_option("script_location", "chartseal.chain.anchors:migrations")
    config.attributes["connection"] = connection
    with storing():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        try:
            command.upgrade(config, "head")
        except CommandError:  # a version that this program has no migration of
            raise QueueError("the queue's tables are of a newer version than this program", "queue_version") from None


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that only reads, and so waits for no writer.

    Raises:
        QueueError: `queue_unavailable`.
    """
    with storing(), engine.connect().execution_options(**{_READS: True}) as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that ends with the block.

    Raises:
        QueueError: `queue_unavailable`.
    """
    with storing(), engine.begin() as connection:
        yield connection


@contextmanager
def storing() -> Iterator[None]:
    """Tell a fault of the database as ours; its own words may quote the URL."""
    try:
        yield
    except ImportError:
        raise MissingExtraError("a queue in PostgreSQL needs the extra `postgres`") from None
    except SQLAlchemyError as exc:
        raise QueueError(f"the queue's database cannot be used: {faults.told(exc)}", "queue_unavailable") from None
