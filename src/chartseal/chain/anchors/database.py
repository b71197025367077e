"""The database that a queue lives in: one of its own, or whatever connection a vault gives."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine

from chartseal.chain.database import Kind
from chartseal.errors import QueueError

_KIND = Kind("queue", QueueError)
reading, writing, storing = _KIND.reading, _KIND.writing, _KIND.storing


def open_queue(place: str, *, create: bool = True) -> Engine:
    """The database at an SQLAlchemy URL, or at a path (SQLite), with its tables made or brought up to date.

    In SQLite every transaction that may write takes the write lock at once and is on disk when it ends. Without
    `create` a file must be there already; one that is made is its owner's alone (mode 0600), since it tells which seals
    were made together, and holds audit statements.

    Raises:
        QueueError: `queue_unavailable`, `queue_url`, `queue_missing`, `queue_version`, `disk_full`; no message shows
            the URL, which may hold a password.
        MissingExtraError: PostgreSQL's driver is not installed.
    """
    url = _KIND.url(place)
    if url.drivername == "sqlite" and not create and not Path(str(url.database)).is_file():
        raise QueueError("there is no such queue: `chartseal anchor add` makes one", "queue_missing")
    engine = _KIND.engine(url)
    with writing(engine) as connection:
        upgrade(connection)
    return engine


def upgrade(connection: Connection) -> None:
    """Make the tables, or bring them up to date, in the caller's transaction.

    Raises:
        QueueError: `queue_unavailable`, or `queue_version`: a newer program made them.
    """
    _KIND.upgrade(connection, "chartseal.chain.anchors:migrations")
