"""One damaged row or file: it is named, by a typed error, and all else is checked, listed, exported and delivered."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from chartseal.errors import AuditError, VaultDamageError
from chartseal.vault import Vault
from chartseal.vault.audit import verify_log
from chartseal.vault.backup import back_up, new_identity
from chartseal.vault.blobs import Blobs, FolderBlobs
from chartseal.vault.database import reading, writing
from chartseal.vault.deliveries import publish
from chartseal.vault.erasure import Basis, erase
from chartseal.vault.opening import Opened
from chartseal.vault.tables import DELIVERY, RECORD
from tests.charts import NOW
from tests.vault_records import create, lines_of, put


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = create(str(tmp_path / "vault.db"))
    put(made, lines_of(3))
    yield made
    made.close()


def change(tmp_path: Path, statement: str) -> None:
    with sqlite3.connect(tmp_path / "vault.db") as connection:
        connection.execute(statement)
    connection.close()


def exported(vault: Vault) -> list[int]:
    """Numbers of the records that are given out."""
    found = vault.outcomes(vault.find(), actor="c", now=NOW)
    return [each.id for each in found if isinstance(each, Opened)]


@pytest.mark.parametrize(
    ("change_to", "code", "given"),
    [
        ("blob = x'0102'", "blob_address", 2),
        ("blob = 'text'", "vault_damaged", 2),
        ("blob = CAST(x'ff' AS TEXT)", "vault_damaged", 2),
        ("blob = 9000000000000000000", "vault_damaged", 2),
        ("version = -1", "vault_damaged", 2),
        ("version = 'x'", "vault_damaged", 2),
        ("version = 1099511627776", "vault_damaged", 2),
        ("patient = 'x'", "vault_damaged", 2),
        ("patient = x'01'", "vault_damaged", 2),
        ("size = 'x'", "size_other", 3),
        ("sealed_at = 'x'", "time_other", 3),
        ("stored_at = 4611686018427387904", "stored_other", 3),
        ("state = 'x'", "state_unknown", 2),
    ],
)
def test_a_damaged_row_of_a_record_hides_no_other(
    vault: Vault, tmp_path: Path, change_to: str, code: str, given: int
) -> None:
    change(tmp_path, f"UPDATE vault_record SET {change_to} WHERE id = 2")
    name = vault.find()[1].name
    assert (name, code) in {(each.place, each.code) for each in vault.verify()}
    assert len(vault.find()) == 3
    assert len(exported(vault)) == given
    assert publish(vault, tmp_path / "mailbox", actor="c", now=NOW).new == 3
    done = erase(vault, vault.find(), basis=Basis.PATIENT_REQUEST, actor="c", now=NOW)
    assert done.erased == (2 if change_to.startswith("state") else 3)


@pytest.mark.parametrize("wrapped", ["7", "9000000000000000000", "'x'", "x'01'"])
def test_a_damaged_data_key_hides_no_other(vault: Vault, tmp_path: Path, wrapped: str) -> None:
    change(tmp_path, f"UPDATE vault_key SET wrapped = {wrapped} WHERE record_id = 2")
    assert [each.place for each in vault.verify()] == [vault.find()[1].name]
    assert exported(vault) == [1, 3]


def test_a_damaged_entry_of_the_log_ends_no_check(vault: Vault, tmp_path: Path) -> None:
    change(tmp_path, "UPDATE vault_audit SET entry = 'x' WHERE sequence = 1")
    change(tmp_path, "UPDATE vault_record SET size = 1 WHERE id = 3")
    assert [(each.place, each.code) for each in vault.verify()] == [(vault.find()[2].name, "size_other")]


@pytest.mark.parametrize(
    ("change_to", "code"),
    [("entry = 'x'", "entry_altered"), ("entry = 7", "entry_altered"), ("patient = 'x'", "entry_misfiled")],
)
def test_a_damaged_entry_of_the_log_is_named(vault: Vault, tmp_path: Path, change_to: str, code: str) -> None:
    change(tmp_path, f"UPDATE vault_audit SET {change_to} WHERE sequence = 2")
    with reading(vault.engine) as connection, pytest.raises(AuditError) as caught:
        verify_log(connection, now=NOW)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE vault_audit SET entry = 'x' WHERE sequence = 1", "vault_audit"),
        ("UPDATE vault_key SET wrapped = 7 WHERE record_id = 2", "vault_key"),
        ("UPDATE vault_record SET version = 'x' WHERE id = 2", "vault_record"),
    ],
)
def test_what_could_never_be_restored_is_not_backed_up(
    vault: Vault, tmp_path: Path, statement: str, table: str
) -> None:
    change(tmp_path, statement)
    with pytest.raises(VaultDamageError) as caught:
        back_up(vault.engine, vault.blobs, io.BytesIO(), [new_identity()[1]], actor="c", now=NOW)
    assert (caught.value.code, caught.value.path) == ("vault_damaged", table)


def test_a_delivery_that_names_no_ciphertext_keeps_no_other(place: str, tmp_path: Path) -> None:
    vault = create(place)
    put(vault, lines_of(3))
    with writing(vault.engine) as connection:
        connection.execute(update(DELIVERY).where(DELIVERY.c.record_id == 2).values(blob=b"\1"))
    with pytest.raises(VaultDamageError) as caught:
        publish(vault, tmp_path / "mailbox", actor="c", now=NOW)
    assert caught.value.code == "blob_address"
    assert len(list((tmp_path / "mailbox" / "deliveries").iterdir())) == 2
    assert {each.code for each in vault.verify()} == {"blob_address", "blob_unnamed", "delivery_other"}
    vault.close()


def test_a_file_that_cannot_be_read_keeps_no_other(place: str, tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path / "blobs")
    vault = create(place, blobs=store)
    vault.blobs = Blobs(store, inline=100)
    put(vault, lines_of(3), delivery_days=0)
    with reading(vault.engine) as connection:
        digest = connection.scalars(select(RECORD.c.blob).where(RECORD.c.id == 2)).one().hex()
    file = tmp_path / "blobs" / digest[:2] / digest[2:4] / digest
    file.unlink()
    file.mkdir()
    assert [(each.place, each.code) for each in vault.verify()] == [(vault.find()[1].name, "blob_unreadable")]
    assert exported(vault) == [1, 3]
    done = back_up(vault.engine, vault.blobs, io.BytesIO(), [new_identity()[1]], actor="c", now=NOW)
    assert (done.blobs, done.missing) == (2, 1)
    vault.close()


def test_a_record_that_names_no_ciphertext_outside_is_erased(place: str, tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path / "blobs")
    vault = create(place, blobs=store)
    vault.blobs = Blobs(store, inline=100)
    put(vault, lines_of(2), delivery_days=0)
    with writing(vault.engine) as connection:
        connection.execute(update(RECORD).where(RECORD.c.id == 2).values(blob=b"\1"))
    assert erase(vault, vault.find(), basis=Basis.PATIENT_REQUEST, actor="c", now=NOW).erased == 2
    vault.close()
