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
_SERVERS_WORDS = {
    "XX001": "its data are damaged",
    "XX002": "an index of it is damaged",
}
"""By SQLSTATE. Source: PostgreSQL 17, appendix A."""
_FULL = {sqlite3.SQLITE_FULL, "53100"}
_FULL_BESIDE = sqlite3.SQLITE_IOERR_SHMSIZE
"""SQLite's word where there is no room for the file by which processes share a database's log."""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, "XX001", "XX002"}
_BUSY = {"40001", "40P01"}
_LOST = "its server cannot be reached, or refuses us"


def told(error: SQLAlchemyError) -> str:
    """The cause, as SQLite's result code or PostgreSQL's SQLSTATE tells it; else the error's kind."""
    code = _code(error)
    if is_full(error):
        return _WORDS[sqlite3.SQLITE_FULL]
    if isinstance(code, int):
        words = _WORDS.get(code)
        return words or str(getattr(getattr(error, "orig", None), "sqlite_errorname", type(error).__name__))
    if code is not None:
        return _SERVERS_WORDS.get(code) or f"{type(error).__name__}, SQLSTATE {code}"
    return _LOST if isinstance(error, OperationalError) else type(error).__name__


def is_full(error: SQLAlchemyError) -> bool:
    """Whether the disk had no room."""
    return _code(error) in _FULL or getattr(_cause(error), "sqlite_errorcode", None) == _FULL_BESIDE


def is_damaged(error: SQLAlchemyError) -> bool:
    """Whether the database says that its own data are broken."""
    return _code(error) in _DAMAGED


def is_busy(error: SQLAlchemyError) -> bool:
    """Whether the server broke a transaction off because of another one: what it did is undone, and may be repeated."""
    return _code(error) in _BUSY


def _cause(error: SQLAlchemyError) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else None


def _code(error: SQLAlchemyError) -> int | str | None:
    """SQLite's primary result code (the rest says more than anybody asks), or PostgreSQL's SQLSTATE."""
    cause = _cause(error)
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF
    if isinstance(cause, sqlite3.OperationalError):  # Python's own: a value says that it is a text, and is none
        return sqlite3.SQLITE_CORRUPT
    state = getattr(cause, "sqlstate", None)
    return state if isinstance(state, str) else None
