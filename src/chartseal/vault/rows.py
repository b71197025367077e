"""Rows written by the batch: SQLAlchemy's work on each value, and PostgreSQL's on each statement, cost most of storing.

insert_rows(connection, (KEY.c.record_id, KEY.c.epoch, KEY.c.wrapped), rows)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection

NOTHING = "ON CONFLICT DO NOTHING"
"""What becomes of a row that is there already."""


def insert_rows(
    connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[tuple[Any, ...]], conflict: str = ""
) -> None:
    """Insert rows of one table; their values are bytes, integers and None, as the driver takes them.

    In PostgreSQL it is one statement with an array for each column, so that a row's trip is not paid a row.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: as any statement; the caller tells it as its own.
    """
    if not rows:
        return
    names = ", ".join(column.name for column in columns)
    into = f"INSERT INTO {columns[0].table.name} ({names})"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" for _ in columns)
        connection.exec_driver_sql(f"{into} VALUES ({marks}) {conflict}", list(rows))
    else:
        arrays = ", ".join(f"%b::{column.type.compile(connection.dialect)}[]" for column in columns)
        statement = f"{into} SELECT * FROM unnest({arrays}) {conflict}"  # noqa: S608 - names of the schema
        connection.exec_driver_sql(statement, tuple(map(list, zip(*rows, strict=True))))
