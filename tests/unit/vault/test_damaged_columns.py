"""Any column of any table with a value that it cannot hold: commands tell it by a typed error, or do the rest."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Column, Connection, LargeBinary, String, insert

from chartseal.chain.anchors import queues
from chartseal.chain.anchors.tables import METADATA as QUEUE_METADATA
from chartseal.errors import ChartsealError
from chartseal.keys import SealingAddress
from chartseal.vault import Vault
from chartseal.vault.audit import Act, Action, close_periods, give, read_statements, verify_log
from chartseal.vault.audit.accounting import account
from chartseal.vault.audit.fhir import to_ndjson
from chartseal.vault.audit.log import log_id
from chartseal.vault.database import empty_log, reading, writing
from chartseal.vault.deliveries import expire, publish, redeliver
from chartseal.vault.epochs import rotate
from chartseal.vault.erasure import Basis, Holds, erase, erased_of, retain
from chartseal.vault.erasure import give as give_receipts
from chartseal.vault.moves import Ground, add_moves
from chartseal.vault.tables import METADATA, SUCCESSION
from chartseal.vault.traces import twins
from tests.charts import HOLDER, ISSUING, NOW
from tests.vault_records import create, keys_of, lines_of, put
from tests.vaults import MemoryKeys

_TABLES = {table.name: table for table in (*METADATA.sorted_tables, *QUEUE_METADATA.sorted_tables)}
_ADDRESS = str(SealingAddress(HOLDER.keys.address()))
_LATER = NOW + timedelta(days=6)
_EXPIRED = NOW + timedelta(days=100)


class Kept(NamedTuple):
    """A closed vault that has rows in every table, and its keys."""

    file: Path
    keys: Mapping[str, bytes]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    file, keys = tmp_path_factory.mktemp("kept") / "vault.db", MemoryKeys()
    vault = create(str(file), keys)
    put(vault, [*lines_of(2), *lines_of(2, "p2")])
    first, second, third, _ = vault.find()
    erase(vault, [first], basis=Basis.DUPLICATE, actor="c", now=NOW)
    Holds(vault).place(basis="case-1", actor="c", now=NOW, patient="Patient/p1")
    Holds(vault).place(basis="case-2", actor="c", now=NOW, entry=second)
    retain(vault, [second], NOW + timedelta(days=9), actor="c", now=NOW)
    with writing(vault.engine) as connection:
        told = Act("c", Action.DISCLOSE, "a letter", vault.pseudonym("Patient/p1"), detail={"recipient": "a court"})
        vault.audit.append(connection, [told], now=NOW)
        connection.execute(insert(SUCCESSION).values(old=b"m" * 16, new=b"n" * 16, taken_at=5))
        add_moves(connection, {second.id: third.id}, Ground(b"m" * 16, b"d" * 32))
        close_periods(connection, ISSUING.signer, queues=queues(connection), now=NOW + timedelta(days=3))
    assert empty_log(vault.engine)
    vault.close()
    return Kept(file, dict(keys.kept))


def _log(read: Callable[[Vault, Connection], object]) -> Callable[[Vault], object]:
    def command(vault: Vault) -> object:
        with reading(vault.engine) as connection:
            return read(vault, connection)

    return command


def _close(vault: Vault) -> None:
    with writing(vault.engine) as connection:
        close_periods(connection, ISSUING.signer, queues=queues(connection), now=_LATER)


_READING: Sequence[Callable[[Vault], object]] = (
    lambda vault: list(vault.verify(now=NOW)),
    lambda vault: vault.moved(vault.find()),
    lambda vault: vault.find(patient="Patient/p1"),
    lambda vault: vault.addressed(_ADDRESS),
    lambda vault: vault.beside(vault.find(patient="Patient/p1")),
    lambda vault: twins(vault, vault.find()[:2]),
    lambda vault: Holds(vault).all(),
    lambda vault: list(give_receipts(vault, erased_of(vault, "Patient/p1"), ISSUING.signer, now=NOW)),
    _log(lambda _, connection: verify_log(connection, now=NOW)),
    _log(lambda vault, connection: list(to_ndjson(log_id(connection), vault.audit.find(connection)))),
    _log(lambda vault, connection: account(vault.audit, connection, vault.pseudonym("Patient/p1"), now=NOW)),
    _log(lambda _, connection: read_statements(connection)),
    _log(lambda _, connection: [give(connection, number).to_json() for number in (1, 2, 3)]),
)
_WRITING: Sequence[Callable[[Vault, Path], object]] = (
    lambda vault, _: list(vault.outcomes(vault.find(), actor="c", now=NOW)),
    lambda vault, _: _close(vault),
    lambda vault, _: put(vault, lines_of(1, "p3")),
    lambda vault, folder: publish(vault, folder / "mailbox", actor="c", now=NOW, early=True),
    lambda vault, _: redeliver(vault, vault.find(), actor="c", now=NOW, days=3),
    lambda vault, _: expire(vault, actor="c", now=_EXPIRED),
    lambda vault, _: rotate(vault.engine, vault.keys, now=NOW, destroy_old=True),
    lambda vault, _: retain(vault, vault.find(), NOW + timedelta(days=20), actor="c", now=NOW),
    lambda vault, _: Holds(vault).lift(1, actor="c", now=NOW),
    lambda vault, _: Holds(vault).lift(2, actor="c", now=NOW),
    lambda vault, _: erase(vault, vault.find(), basis=Basis.COURT_ORDER, actor="c", now=NOW, override=True),
)


def _others(column: Column[Any]) -> Sequence[object]:
    """Values that a column cannot hold; as a size, 2^62 bytes are more than any memory has."""
    if isinstance(column.type, LargeBinary):
        return "text", 2**62
    return (b"\xff\xfe",) if isinstance(column.type, String) else ("text",)


def _damage(file: Path, column: Column[Any], value: object) -> bool:
    """Put a value into a column of a table's first row; whether SQLite took it."""
    table = column.table.name
    key = next(iter(column.table.primary_key)).name
    with closing(sqlite3.connect(file)) as connection, suppress(sqlite3.Error):
        statement = f"UPDATE {table} SET {column.name} = ? WHERE {key} = (SELECT min({key}) FROM {table})"
        is_done = connection.execute(statement, [value]).rowcount > 0
        connection.commit()
        return is_done
    return False


def _run(file: Path, keys: Mapping[str, bytes], *, is_writing: bool) -> None:
    """Every command on a vault; what is no typed error ends the test."""
    with suppress(ChartsealError):
        vault = Vault.open(str(file), keys_of(keys))
        try:
            for command in _READING:
                with suppress(ChartsealError):
                    command(vault)
            for change in _WRITING if is_writing else ():
                with suppress(ChartsealError):
                    change(vault, file.parent)
        finally:
            vault.close()


@pytest.mark.parametrize("name", _TABLES)
def test_no_value_of_a_column_is_met_by_an_untyped_error(name: str, kept: Kept, tmp_path: Path) -> None:
    took = set[str]()
    for column in _TABLES[name].columns:
        for number, value in enumerate(_others(column)):
            folder = tmp_path / f"{column.name}-{number}"
            folder.mkdir()
            shutil.copy(kept.file, folder / "vault.db")
            if _damage(folder / "vault.db", column, value):
                took.add(column.name)
                _run(folder / "vault.db", kept.keys, is_writing=number == 0)
    if name != "anchor_batch":  # the queue has closed none
        assert took >= {each.name for each in _TABLES[name].columns if not each.primary_key}
