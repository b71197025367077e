"""Rows of a log in SQLite that hold what their columns cannot: each is told by a typed error that names its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from chartseal.errors import AuditError, VaultDamageError
from chartseal.vault.audit import AuditLog, give, verify_log
from chartseal.vault.database import open_database, reading, writing
from tests.audit_log import NOW, a_log, begun, filled


@pytest.fixture
def log(tmp_path: Path) -> Engine:
    engine = begun(open_database(str(tmp_path / "log.db"), create=True))
    filled(engine)
    return engine


def change(engine: Engine, statement: str) -> None:
    with writing(engine) as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("table", ["vault_statement", "anchor_statement"])
@pytest.mark.parametrize("column", ["statement", "signature"])
@pytest.mark.parametrize("value", ["1.5", "'x'", "4611686018427387904"])
def test_a_damaged_statement(log: Engine, table: str, column: str, value: str) -> None:
    with reading(log) as connection:
        assert verify_log(connection, now=NOW).entries
    change(log, f"UPDATE {table} SET {column} = {value}")
    with reading(log) as connection, pytest.raises(VaultDamageError) as caught:
        verify_log(connection, now=NOW)
    assert (caught.value.code, caught.value.path) == ("vault_damaged", table)


def _read(log: AuditLog, engine: Engine) -> int:
    with reading(engine) as connection:
        return len(list(log.find(connection)))


@pytest.mark.parametrize("value", ["1.5", "'x'", "4611686018427387904"])
def test_a_damaged_entry(log: Engine, value: str) -> None:
    assert _read(a_log(), log) == 6
    change(log, f"UPDATE vault_audit SET entry = {value} WHERE sequence = 2")
    with pytest.raises(AuditError) as caught:
        _read(a_log(), log)
    assert (caught.value.code, caught.value.path) == ("entry_malformed", "entry 2")
    with reading(log) as connection, pytest.raises(VaultDamageError):
        give(connection, 2)


def test_no_receipt_is_given_of_an_edited_entry(log: Engine) -> None:
    with reading(log) as connection:
        assert give(connection, 2).sequence == 2
    change(log, "UPDATE vault_audit SET entry = x'ff' WHERE sequence = 2")
    with reading(log) as connection, pytest.raises(AuditError) as caught:
        give(connection, 2)
    assert (caught.value.code, caught.value.path) == ("entry_altered", "entry 2")


@pytest.mark.parametrize("value", ["7", "'x'", "x'01'"])
def test_a_damaged_head(log: Engine, value: str) -> None:
    change(log, f"UPDATE vault_meta SET value = {value} WHERE name = 'audit_head'")
    with reading(log) as connection, pytest.raises(AuditError) as caught:
        verify_log(connection, now=NOW)
    assert (caught.value.code, caught.value.path) == ("head_malformed", "head")
