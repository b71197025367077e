"""Rows written and looked up by the batch: the work of SQLAlchemy on each value, and of PostgreSQL on each statement,
costs more than all else of storing.

    insert_rows(connection, (KEY.c.record_id, KEY.c.epoch, KEY.c.wrapped), rows)
    uids = held(connection, (RECORD.c.attester, attester), RECORD.c.uid, uids)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Connection
from sqlalchemy.exc import DBAPIError

NOTHING = "ON CONFLICT DO NOTHING"
"""What becomes of a row that is there already."""

_AT_ONCE = 1_000


def insert_rows(
    connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[tuple[Any, ...]], conflict: str = ""
) -> None:
    """Insert rows of one table; their values are bytes, integers and None, as the driver takes them.

    `conflict` is SQL's clause for rows that are there already. PostgreSQL copies rows; or, where there is that clause,
    takes one statement with an array for each column.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: as any statement; the caller tells it as its own.
    """
    if not rows:
        return
    names = ", ".join(column.name for column in columns)
    target = f"{columns[0].table.name} ({names})"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" for _ in columns)
        connection.exec_driver_sql(f"INSERT INTO {target} VALUES ({marks}) {conflict}", list(rows))  # noqa: S608 - names of the schema
        return
    types = [column.type.compile(connection.dialect) for column in columns]
    if not conflict:
        _copy(connection, target, [each.lower() for each in types], rows)
        return
    arrays = ", ".join(f"%b::{each}[]" for each in types)
    statement = f"INSERT INTO {target} SELECT * FROM unnest({arrays}) {conflict}"  # noqa: S608 - as above
    connection.exec_driver_sql(statement, tuple(map(list, zip(*rows, strict=True))))


def _copy(connection: Connection, target: str, types: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    with _driver(connection) as cursor, cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


@contextmanager
def _driver(connection: Connection) -> Iterator[Any]:
    """PostgreSQL's own cursor, in the transaction; its faults are told as SQLAlchemy tells them."""
    from psycopg import Error

    try:
        with connection.connection.cursor() as cursor:  # type: ignore[attr-defined]  # of SQLAlchemy's type for any driver's
            yield cursor
    except Error as exc:
        raise DBAPIError(None, None, exc) from None


def held(
    connection: Connection, fixed: tuple[Column[Any], bytes], column: Column[Any], values: Sequence[bytes]
) -> set[bytes]:
    """Those of the values that a column has, among the rows of which another column has one value.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: as any statement; the caller tells it as its own.
    """
    found: set[bytes] = set()
    for at in range(0, len(values), _AT_ONCE):
        part = values[at : at + _AT_ONCE]
        select = f"SELECT {column.name} FROM {column.table.name} WHERE {fixed[0].name} ="  # noqa: S608 - as above
        if connection.dialect.name == "sqlite":
            marks = ", ".join("?" for _ in part)
            rows = connection.exec_driver_sql(f"{select} ? AND {column.name} IN ({marks})", (fixed[1], *part))
        else:
            rows = connection.exec_driver_sql(f"{select} %b AND {column.name} = ANY(%b)", (fixed[1], list(part)))
        found.update(bytes(each) for (each,) in rows)
    return found
