"""Which assertions were used: each counts once, in whichever process of a node, before and after a restart.

replays = Replays.open("tokens.db")
replays.use(client_id, jti, expires_at, now)
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from chartseal.chain.database import Kind
from chartseal.errors import AccessError
from chartseal.node.smart.tables import USED

KEPT_LONGER = timedelta(hours=2)
"""After an assertion's end: another process's clock may be late by as much, and would take it still."""
LONGEST_ID = 256
"""Characters of a `jti`."""

_FORGOTTEN_AT_ONCE = 100
_KIND = Kind("replays", AccessError)


class Replays:
    """A database of used assertions. Several processes may have it open. Close it, or use it as a context manager."""

    def __init__(self, engine: Engine) -> None:
        """Use `open`."""
        self._engine = engine

    @classmethod
    def open(cls, place: str) -> Self:
        """The database at an SQLAlchemy URL or a path (SQLite, mode 0600), with its tables made or brought up to date.

        Raises:
            AccessError: `replays_url`, `replays_version`, `replays_unavailable`, `disk_full`.
            MissingExtraError: PostgreSQL's driver is not installed.
        """
        engine = _KIND.engine(_KIND.url(place))
        try:
            with _KIND.writing(engine) as connection:
                _KIND.upgrade(connection, "chartseal.node.smart:migrations")
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    def use(self, client_id: str, jti: str, expires_at: datetime, now: datetime) -> None:
        """Remember an assertion, which is on disk when this returns, and forget some that ended long ago.

        Raises:
            AccessError: `assertion_replayed`; `replays_unavailable`, `replays_busy`, `disk_full`: it was not remembered
                and must not be taken.
        """
        mark = hashlib.sha256(f"{client_id}\0{jti}".encode()).digest()
        row = {"mark": mark, "forget_at": int((expires_at + KEPT_LONGER).timestamp())}
        with _KIND.writing(self._engine) as connection:
            put = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            statement = put(USED).values(row).on_conflict_do_nothing().returning(USED.c.mark)
            is_new = connection.execute(statement).first() is not None
            _forget(connection, int(now.timestamp()))
        if not is_new:
            raise AccessError("the assertion was used before", "assertion_replayed", "jti")

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        """Use it until the block ends."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close."""
        self.close()


def _forget(connection: Connection, now: int) -> None:
    """Delete a bounded number of rows: a request never waits for a night's. Rows that others delete are passed over."""
    old = select(USED.c.mark).where(USED.c.forget_at < now).limit(_FORGOTTEN_AT_ONCE).with_for_update(skip_locked=True)
    connection.execute(delete(USED).where(USED.c.mark.in_(old)))
