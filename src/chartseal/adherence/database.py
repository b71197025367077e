"""DuckDB in memory, which spills what memory does not hold to where its owner alone reads it."""

from __future__ import annotations

from functools import cache
from tempfile import TemporaryDirectory

import duckdb


def connect(path: str = ":memory:", *, read_only: bool = False, **settings: object) -> duckdb.DuckDBPyConnection:
    """A database with DuckDB's settings, those that are None left to it.

    Left to itself, DuckDB spills patients' rows into the current folder, or beside the database's file.
    """
    chosen = {"temp_directory": _folder().name} | {name: each for name, each in settings.items() if each is not None}
    return duckdb.connect(path, read_only=read_only, config={name: str(each) for name, each in chosen.items()})


def quoted(name: str) -> str:
    """A name of a column or table, whatever it holds, as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


@cache
def _folder() -> TemporaryDirectory[str]:
    """One for the process, of mode 0700; it goes when the process ends."""
    return TemporaryDirectory(prefix="chartseal-")
