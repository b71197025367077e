"""Checking a vault: every ciphertext decrypts and is its row's record, and nothing lies about that no row names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from chartseal.errors import ChartsealError, VaultDamageError
from chartseal.sealing import SealedRecord
from chartseal.vault.agreement import against_log
from chartseal.vault.blobs.digests import name
from chartseal.vault.blobs.inline import named
from chartseal.vault.database import reading, storing
from chartseal.vault.finding import Wanted, find
from chartseal.vault.findings import Finding
from chartseal.vault.opening import Entry, Opened, chunks, decrypt, record_name
from chartseal.vault.tables import BLOB, DELIVERY, ERASED, KEY, LIVE, NO_KEY, RECORD, TERM
from chartseal.vault.terms import read_facts, terms

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

_CHUNK = 500


def check(vault: Vault) -> Iterator[Finding]:
    """All findings: of records, of what erased ones left, of what the log says otherwise, of deliveries, of ciphertexts
    that nothing names.

    Raises:
        VaultError: `vault_unavailable`, `blobs_unavailable`.
    """
    with reading(vault.engine) as connection:
        live = (entry for entry in find(vault, connection, Wanted()) if entry.state == LIVE)
        for chunk in chunks(live):
            yield from _check_records(vault, connection, chunk)
        yield from _check_erased(connection)
        yield from against_log(connection)
        yield from _check_deliveries(vault, connection)
        yield from _check_blobs(vault, connection)


def _check_records(vault: Vault, connection: Connection, entries: Sequence[Entry]) -> Iterator[Finding]:
    for entry, found in zip(entries, decrypt(vault, connection, entries), strict=True):
        try:
            if isinstance(found, ChartsealError):
                raise found
            _check_record(vault, connection, entry, found)
        except ChartsealError as exc:
            yield Finding.of(entry.name, exc)


def _check_record(vault: Vault, connection: Connection, entry: Entry, opened: Opened) -> None:
    record = SealedRecord.from_json(opened.line)
    if (record.attester, record.uid) != opened.identity:
        raise VaultDamageError("the ciphertext is another record's", "record_other")
    record.check()
    [facts] = read_facts([opened.line])
    if entry.sealed_at != facts.sealed_at:
        raise VaultDamageError("the row bears another time than the seal", "time_other")
    if opened.patient != vault.pseudonym_of(facts):
        raise VaultDamageError("the row bears another patient's pseudonym", "patient_other")
    if vault.settings.searchable:
        with storing():
            there = set(connection.scalars(select(TERM.c.term).where(TERM.c.record_id == opened.id)))
        if [there] != terms(vault.index, [facts]):
            raise VaultDamageError("the record's terms are not those of its contents", "terms_other")


def _check_erased(connection: Connection) -> Iterator[Finding]:
    """Of an erased record neither a key nor a term nor a delivery is left."""
    left_over = (
        (select(KEY.c.record_id).where(KEY.c.wrapped != NO_KEY), "a data key"),
        (select(TERM.c.record_id), "a term"),
        (select(DELIVERY.c.record_id), "a delivery"),
    )
    for ids, what in left_over:
        graves = select(RECORD.c.attester, RECORD.c.uid).where(RECORD.c.state == ERASED)
        left = graves.where(RECORD.c.id.in_(ids)).order_by(RECORD.c.id)
        with storing():
            rows = connection.execute(left).all()
        for row in rows:
            name = record_name(bytes(row.attester), bytes(row.uid))
            yield Finding(name, "erasure_incomplete", f"the record is erased, and {what} is left")


def _check_deliveries(vault: Vault, connection: Connection) -> Iterator[Finding]:
    last = b""
    while True:
        rows = select(DELIVERY.c.locator, DELIVERY.c.blob).where(DELIVERY.c.locator > last)
        with storing():
            found = connection.execute(rows.order_by(DELIVERY.c.locator).limit(_CHUNK)).all()
        if not found:
            return
        last = found[-1].locator
        for row, data in zip(found, vault.blobs.get_many(connection, [row.blob for row in found]), strict=True):
            if isinstance(data, VaultDamageError):
                yield Finding(f"delivery 0x{row.locator.hex()}", data.code, data.detail)


def _check_blobs(vault: Vault, connection: Connection) -> Iterator[Finding]:
    """What lies outside and no row names is left by a transaction that failed: `sweep` deletes it."""
    last = b""
    while True:
        with storing():
            rows = select(BLOB.c.hash).where(BLOB.c.hash > last).order_by(BLOB.c.hash).limit(_CHUNK)
            hashes = list(connection.scalars(rows))
        if not hashes:
            return
        last = hashes[-1]
        for digest in sorted(set(hashes) - named(connection, hashes)):
            yield Finding(f"blob {name(digest)}", "blob_unnamed", "no row names the ciphertext")
