"""The database of a vault: its own tables and the anchor queue's, so that one transaction keeps a record whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, event, inspect, text
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
    if url.drivername == "sqlite":
        event.listen(engine, "connect", _take_any_text)
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


def _take_any_text(connection: Any, _: Any) -> None:
    """A damaged value that says that it is a text, and is none, hides no other row."""
    connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")


def _missing() -> VaultError:
    return VaultError("there is no vault: `chartseal vault init` makes one", "vault_missing")


def write_anew(engine: Engine, tables: Iterable[Table]) -> None:
    """Write SQLite's tables anew, each in one transaction, and overwrite the pages that they stood on: about 2 s for
    100,000 records' data keys or terms.

    A page that was split or joined keeps copies of rows that moved, in what is free of it: SQLite overwrites none of
    them when the row is deleted. Elsewhere there are no such pages, and nothing is done.

    Raises:
        VaultError: `vault_unavailable`, `disk_full`.
        VaultDamageError: `vault_damaged`.
    """
    if engine.dialect.name != "sqlite":
        return
    with _driver(engine) as cursor:
        cursor.execute("PRAGMA foreign_keys = OFF")  # rows go and come back; and with it SQLite copies row by row
        try:
            for table in tables:
                _write_anew(cursor, table.name)
        finally:
            cursor.execute("PRAGMA foreign_keys = ON")


def _write_anew(cursor: sqlite3.Cursor, name: str) -> None:
    copy = f"{name}_copy"
    cursor.execute("BEGIN IMMEDIATE")
    try:
        made = cursor.execute("SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL", [name]).fetchall()
        for (statement,) in made:  # the table and its indexes: of the same form SQLite copies whole pages
            cursor.execute(statement.replace(name, copy))
        cursor.execute(f"INSERT INTO {copy} SELECT * FROM {name}")  # noqa: S608 (names of our own tables)
        cursor.execute(f"DELETE FROM {name}")  # noqa: S608
        cursor.execute(f"INSERT INTO {name} SELECT * FROM {copy}")  # noqa: S608
        cursor.execute(f"DROP TABLE {copy}")
        cursor.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk undoes it by itself
            cursor.execute("ROLLBACK")
        raise


@contextmanager
def _driver(engine: Engine) -> Iterator[sqlite3.Cursor]:
    """SQLite's own cursor, outside any transaction; its faults are told as the database's."""
    with storing(), closing(engine.raw_connection()) as connection:
        try:
            yield connection.cursor()  # type: ignore[misc]  # of SQLAlchemy's type for any driver's
        except sqlite3.Error as exc:
            raise DBAPIError(None, None, exc) from None


def hold_moment(connection: Connection) -> None:
    """Let everything that a new connection reads be of one moment, whatever others write; in SQLite it always is.

    Raises:
        VaultError: `vault_unavailable`.
    """
    if connection.dialect.name == "postgresql":
        with storing():
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


@contextmanager
def trusting_rows(table: Table) -> Iterator[None]:
    """Tell rows that hold what their columns cannot, as a damaged file of SQLite may give them.

    Raises:
        VaultDamageError: `vault_damaged`.
        VaultError: as `storing`.
    """
    try:
        with storing():
            yield
    except (TypeError, ValueError, OverflowError, MemoryError):
        raise VaultDamageError("a row holds what its columns cannot", "vault_damaged", table.name) from None


def empty_log(engine: Engine) -> bool:
    """Bring SQLite's write-ahead log into the file and cut it to nothing, so that what was deleted stands in neither.

    Returns whether it is empty: somebody who still reads holds it back. Elsewhere there is no such log, and it is True.

    Raises:
        VaultError: `vault_unavailable`, `disk_full`.
        VaultDamageError: `vault_damaged`.
    """
    if engine.dialect.name != "sqlite":
        return True
    with _driver(engine) as cursor:
        busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
