"""What a host learns that reads a whole vault and has none of its keys: each column, and what it tells.

The list is the one of docs/vault.md. A column that is not in it fails the test, so that whoever adds one says it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from chartseal.chain.anchors import tables as anchor_tables
from chartseal.vault import Vault, tables
from chartseal.vault.database import reading
from chartseal.vault.erasure import Basis, Holds, erase
from tests.charts import NOW
from tests.vault_records import create, line_of, put

LEARNED = {
    "how many records there are, their sizes, and when they were sealed and stored": (
        "record.id record.size record.sealed_at record.stored_at record.version record.state "
        "blob.data delivery.size delivery.record_id key.record_id term.record_id"
    ),
    "each record's issuer and uid, as the anchors have them": "record.attester record.uid",
    "which records are of one patient": "record.patient hold.patient audit.patient",
    "which records share a term": "term.term",
    "which deliveries wait, and until when": "delivery.locator delivery.expires_at",
    "what is kept until when, what is held, and under which code": (
        "record.retain_until hold.id hold.record_id hold.basis hold.placed_at hold.lifted_at"
    ),
    "what was erased, when, and on what basis": (
        "erasure.record_id erasure.erased_at erasure.basis erasure.sequence erasure.epoch"
    ),
    "how many holders left an address, when, which records moved by it and became which, on which deployment": (
        "succession.old succession.new succession.taken_at "
        "move.record_id move.successor_id move.succession move.domain move.revoked_at"
    ),
    "how many epochs there were, and when": "epoch.number epoch.reader epoch.made_at epoch.destroyed_at key.epoch",
    "who did what when, by which purpose and basis; not to whom by name, and no detail": (
        "audit.sequence audit.entry audit.at audit_detail.sequence audit_detail.keep_until "
        "statement.period statement.statement"
    ),
    "the vault's settings, and how far sealing runs got": "meta.name meta.value",
    "nothing: ciphertexts, their hashes, and signatures": (
        "record.blob blob.hash delivery.blob key.wrapped audit.hash audit_detail.data statement.signature"
    ),
}
SECRET = (b"Olivia Bauch", b"Patient/p", b"loinc", b"2823-3", b"2026-05-04", b"Observation", b"seal1")


@pytest.fixture
def vault(place: str) -> Iterator[Vault]:
    made = create(place)
    put(made, [line_of(1), line_of(2), line_of(3, "p2", code="other"), line_of(4, "p3")])
    Holds(made).place(patient="Patient/p2", basis="case-7", actor="clerk", now=NOW)
    erase(made, made.find(patient="Patient/p3"), basis=Basis.DUPLICATE, actor="clerk", now=NOW)
    yield made
    made.close()


def everything(vault: Vault) -> dict[str, list[Any]]:
    """All values, by column."""
    found = {}
    with reading(vault.engine) as connection:
        for table in (*tables.METADATA.sorted_tables, *anchor_tables.METADATA.sorted_tables):
            rows = connection.execute(select(table)).all()
            found.update({str(column): [row[at] for row in rows] for at, column in enumerate(table.columns)})
    return found


def test_every_column_is_in_the_list() -> None:
    listed = [f"vault_{each}" for columns in LEARNED.values() for each in columns.split()]
    there = [str(column) for table in tables.METADATA.sorted_tables for column in table.columns]
    assert sorted(listed) == sorted(there)


def test_no_column_holds_a_word_of_a_record(vault: Vault) -> None:
    values = [value for column in everything(vault).values() for value in column]
    as_bytes = [value if isinstance(value, bytes) else str(value).encode() for value in values]
    assert [word for word in SECRET if any(word in each for each in as_bytes)] == []


def test_what_is_equal_tells_who_belongs_together_and_no_more(vault: Vault) -> None:
    found = everything(vault)
    patients = Counter(each for each in found["vault_record.patient"] if each is not None)
    assert sorted(patients.values()) == [1, 2]
    shared = sorted(Counter(found["vault_term.term"]).values())
    # names of all; codes of one and two; address, type, day, month and year of all three
    assert shared == [1, 1, 1, 1, 2, 3, 3, 3, 3, 3]
    erased = [at for at, state in enumerate(found["vault_record.state"]) if state == tables.ERASED]
    assert [found["vault_record.patient"][at] for at in erased] == [None]


def test_the_same_records_look_like_others_under_other_keys(vault: Vault, tmp_path: Any) -> None:
    other = create(str(tmp_path / "other.db"))
    put(other, [line_of(1), line_of(2), line_of(3, "p2", code="other")])
    mine, theirs = everything(vault), everything(other)
    other.close()
    for column in ("record.patient", "term.term", "record.blob", "key.wrapped", "blob.data", "delivery.locator"):
        assert not set(mine[f"vault_{column}"]) & set(theirs[f"vault_{column}"]) - {None}
