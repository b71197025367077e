"""Many rows at once by the driver itself: long statements in SQLite, COPY in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import IntegrityError

from chartseal.errors import IndexingError

_A_STATEMENT = 500
"""Rows. The driver lets other threads run once a statement, and waits to run again: with executemany, once a row."""


def insert(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add rows, their values in the order of the table's columns and as the database has them.

    Raises:
        IndexingError: `index_contradiction` where a key stands already; `index_unreachable`.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
        return
    try:
        for at in range(0, len(rows), _A_STATEMENT):
            part = rows[at : at + _A_STATEMENT]
            connection.exec_driver_sql(_insertion(table, len(part)), tuple(chain.from_iterable(part)))
    except IntegrityError:
        raise _contradiction(table) from None


@lru_cache(maxsize=32)
def _insertion(table: Table, count: int) -> str:
    row = f"({', '.join('?' for _ in table.columns)})"
    return f"INSERT INTO {table.name} VALUES {', '.join([row] * count)}"  # noqa: S608 (our own tables)


def _copy(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    import psycopg

    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.errors.UniqueViolation:
        raise _contradiction(table) from None
    except psycopg.Error as exc:
        raise IndexingError(f"the index's database fails ({type(exc).__name__})", "index_unreachable") from None


def _contradiction(table: Table) -> IndexingError:
    return IndexingError(f"an event stands twice ({table.name})", "index_contradiction")
