"""The database that a queue lives in: one of its own, or whatever connection a vault gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from chartseal.errors import MissingExtraError, QueueError

_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}
_READS = "chartseal_reads"
_PATIENCE = 30
"""Seconds that a writer waits for another in SQLite."""
_MIGRATING = 0x616E63686F72
"""Key of the lock under which PostgreSQL's schema is changed."""


def open_queue(place: str, *, create: bool = True) -> Engine:
    """The database at an SQLAlchemy URL, or at a path (SQLite), with its tables made or brought up to date.

    In SQLite every transaction that may write takes the write lock at once and is on disk when it ends. Without
    `create` a file must be there already.

    Raises:
        QueueError: `queue_unavailable`, `queue_url`, `queue_missing`; no message shows the URL, which may hold a
            password.
        MissingExtraError: PostgreSQL's driver is not installed.
    """
    url = _url(place)
    is_file = url.drivername == "sqlite"
    if is_file and not create and not Path(str(url.database)).is_file():
        raise QueueError("there is no such queue: `chartseal anchor add` makes one", "queue_missing")
    waiting = {"timeout": _PATIENCE} if is_file else {}
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
    return url.set(drivername=_DRIVERS[url.drivername])


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
        QueueError: `queue_unavailable`.
    """
    config = Config()
    config.set_main_option("script_location", "chartseal.chain.anchors:migrations")
    config.attributes["connection"] = connection
    with storing():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        command.upgrade(config, "head")


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
        detail = f"the queue's database cannot be used ({type(exc).__name__})"
        raise QueueError(detail, "queue_unavailable") from None
