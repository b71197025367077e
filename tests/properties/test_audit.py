"""Whatever is done to any row of an audit log is found, at the first place where it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from chartseal.errors import AuditError
from chartseal.vault.audit import close_periods, verify_log
from chartseal.vault.database import open_database
from tests.audit_log import NOW, a_log, begun, issuer, looked, queue, told

ENTRIES, DAYS = 8, 4
_LATER = NOW + timedelta(days=DAYS)
_COLUMNS = {
    "vault_audit": ("sequence", "entry", "hash", "at", "patient"),
    "vault_audit_detail": ("sequence", "data", "keep_until"),
    "vault_statement": ("period", "statement", "signature"),
}
_ROWS = {"vault_audit": ENTRIES, "vault_audit_detail": ENTRIES // 2, "vault_statement": DAYS}
_tables = st.sampled_from(sorted(_COLUMNS))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("log")
    engine = begun(open_database(str(folder / "vault.db"), create=True))
    with engine.begin() as connection:
        for day in range(DAYS):
            a_log().append(connection, [looked(day), told(day)], now=NOW + timedelta(days=day))
        close_periods(connection, issuer(), queues=[queue()], now=_LATER)
    yield engine
    engine.dispose()


def _keys(connection: Connection, table: str) -> Sequence[int]:
    key = _COLUMNS[table][0]
    return list(connection.execute(text(f"SELECT {key} FROM {table} ORDER BY {key}")).scalars())


def _refusal(connection: Connection) -> AuditError:
    with pytest.raises(AuditError) as caught:
        verify_log(connection, now=_LATER, providers={issuer().address}, anchored=True)
    return caught.value


def _at(error: AuditError) -> int:
    found = re.fullmatch(r"(?:entry|period) ([0-9]+)", error.path)
    assert found is not None, error.path
    return int(found[1])


def _changed(value: object, position: int) -> object:
    """A value that differs in one place."""
    if isinstance(value, bytes):
        at = position % len(value)
        return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
    return bytes(16) if value is None else int(str(value)) + 1_000_000


_once = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_once
@given(_tables, st.integers(0, 7), st.integers(0, 4), st.integers(0, 400))
def test_an_edit(engine: Engine, table: str, row: int, column: int, position: int) -> None:
    columns = _COLUMNS[table]
    key, name = columns[0], columns[column % len(columns)]
    with engine.connect() as connection:
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        of = _keys(connection, table)[row % _ROWS[table]]
        value = connection.execute(text(f"SELECT {name} FROM {table} WHERE {key} = :of"), {"of": of}).scalar()
        put = text(f"UPDATE {table} SET {name} = :put WHERE {key} = :of")
        connection.execute(put, {"put": _changed(value, position), "of": of})
        error = _refusal(connection)
        connection.rollback()
    # A statement's own bytes may say nothing any more, of which period it is included.
    assert error.path == "statement" or table == "vault_statement" or _at(error) == of


@_once
@given(_tables, st.integers(0, 7))
def test_a_deletion(engine: Engine, table: str, row: int) -> None:
    key = _COLUMNS[table][0]
    with engine.connect() as connection:
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        of = _keys(connection, table)[row % _ROWS[table]]
        connection.execute(text(f"DELETE FROM {table} WHERE {key} = :of"), {"of": of})
        error = _refusal(connection)
        connection.rollback()
    assert _at(error) == of


@_once
@given(_tables, st.integers(0, 7), st.integers(0, 7), st.booleans())
def test_a_swap(engine: Engine, table: str, one: int, other: int, whole: bool) -> None:
    """Of two rows' contents, all of them or the first alone."""
    key, *contents = _COLUMNS[table]
    names = contents if whole else contents[:1]
    with engine.connect() as connection:
        keys = _keys(connection, table)
        first, second = sorted((keys[one % _ROWS[table]], keys[other % _ROWS[table]]))
        if first == second:
            return
        read = text(f"SELECT {', '.join(names)} FROM {table} WHERE {key} = :of")
        rows = [connection.execute(read, {"of": of}).one()._asdict() for of in (first, second)]
        put = text(f"UPDATE {table} SET {', '.join(f'{name} = :{name}' for name in names)} WHERE {key} = :of")
        connection.execute(put, {**rows[1], "of": first})
        connection.execute(put, {**rows[0], "of": second})
        error = _refusal(connection)
        connection.rollback()
    assert table == "vault_statement" or _at(error) == first


@_once
@given(st.integers(0, ENTRIES - 1), st.integers(0, DAYS))
def test_a_cut(engine: Engine, entries: int, statements: int) -> None:
    """After so many entries and statements, the head being that of the cut log and the queue cut likewise."""
    with engine.connect() as connection:
        connection.execute(text("DELETE FROM vault_audit_detail WHERE sequence > :n"), {"n": entries})
        last = connection.execute(text("SELECT hash FROM vault_audit WHERE sequence = :n"), {"n": entries}).scalar()
        connection.execute(text("DELETE FROM vault_audit WHERE sequence > :n"), {"n": entries})
        head = entries.to_bytes(8) + (last or bytes(32))
        connection.execute(text("UPDATE vault_meta SET value = :head WHERE name = 'audit_head'"), {"head": head})
        kept = _keys(connection, "vault_statement")[:statements]
        connection.execute(text("DELETE FROM vault_statement WHERE period > :p"), {"p": kept[-1] if kept else -1})
        error = _refusal(connection)
        connection.rollback()
    assert error.code == ("log_cut" if statements == DAYS else "statement_missing")
