"""What ails a database, in words that quote nothing of it: its own may hold values, addresses and passwords."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

_WORDS = {
    sqlite3.SQLITE_BUSY: "another process has it locked",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_FULL: "no space is left",
    sqlite3.SQLITE_IOERR: "it cannot be read or written",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database",
    sqlite3.SQLITE_PERM: "its file may not be used",
    sqlite3.SQLITE_READONLY: "it cannot be written",
}
_LOST = "its server cannot be reached, or refuses us"


def told(error: SQLAlchemyError) -> str:
    """The cause, as SQLite's result code or PostgreSQL's SQLSTATE tells it; else the error's kind."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int):
        words = _WORDS.get(code & 0xFF)  # the rest says more than anybody asks
        return words or str(getattr(cause, "sqlite_errorname", type(error).__name__))
    state = getattr(cause, "sqlstate", None)
    if isinstance(state, str):
        return f"{type(error).__name__}, SQLSTATE {state}"
    return _LOST if isinstance(error, OperationalError) else type(error).__name__
