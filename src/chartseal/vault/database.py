"""The database of a vault: its own tables and the anchor queue's, so that one transaction keeps a record whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, inspect
from sqlalchemy.exc import DBAPIError

from chartseal.chain import anchors
from chartseal.chain.database import Kind
from chartseal.errors import VaultDamageError, VaultError
from chartseal.vault.tables import VERSIONS

# What is deleted is overwritten: SQLite would else leave wraps and ciphertexts of erased records in free pages.
_KIND = Kind("vault", VaultError, ("secure_delete = ON",), VaultDamageError)
reading, writing, storing = _KIND.reading, _KIND.writing, _KIND.storing


def open_database(place: str, *, create: bool) -> Engine:
    """The database at an SQLAlchemy URL, or at a path (SQLite), with its tables brought up to date.

    Without `create` a vault must be there already; with it one is made where there is none. An SQLite file that is made
    is its owner's alone (mode 0600).

    Raises:
        VaultError: `vault_url`, `vault_missing`, `vault_version`, `vault_unavailable`, `disk_full`; no message shows
            the URL, which may hold a password.
        VaultDamageError: `vault_damaged`.
        QueueError: `queue_version`; the anchor queue's tables are of a newer program.
        MissingExtraError: PostgreSQL's driver is not installed.
    """
    url = _KIND.url(place)
    if url.drivername == "sqlite" and not create and not Path(str(url.database)).is_file():
        raise _missing()
    engine = _KIND.engine(url)
    try:
        with writing(engine) as connection:
            if not create and not inspect(connection).has_table(VERSIONS):
                raise _missing()
            _KIND.upgrade(connection, "chartseal.vault:migrations")
            anchors.upgrade(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _missing() -> VaultError:
    return VaultError("there is no vault: `chartseal vault init` makes one", "vault_missing")


def empty_log(engine: Engine) -> bool:
    """Bring SQLite's write-ahead log into the file and cut it to nothing, so that what was deleted stands in neither.

    Returns whether it is empty: somebody who still reads holds it back. Elsewhere there is no such log, and it is True.

    Raises:
        VaultError: `vault_unavailable`, `disk_full`.
        VaultDamageError: `vault_damaged`.
    """
    if engine.dialect.name != "sqlite":
        return True
    with storing(), closing(engine.raw_connection()) as connection:
        try:
            busy, _, _ = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as exc:
            raise DBAPIError(None, None, exc) from None
    return not busy
