"""Checking a vault: every ciphertext decrypts and is its row's record, and nothing lies about that no row names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select, text

from chartseal.errors import ChartsealError, VaultDamageError
from chartseal.sealing import SealedRecord
from chartseal.vault.agreement import against_log
from chartseal.vault.blobs.digests import name
from chartseal.vault.blobs.inline import named
from chartseal.vault.database import hold_moment, reading, storing, trusting_rows
from chartseal.vault.finding import Wanted, find
from chartseal.vault.findings import Finding
from chartseal.vault.opening import Entry, Opened, chunks, decrypt, record_name
from chartseal.vault.tables import BLOB, DELIVERY, ERASED, KEY, LIVE, NO_KEY, RECORD, TERM
from chartseal.vault.terms import read_facts, terms

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

_CHUNK = 500
_MOST_TOLD = 20
"""Faults of its file that SQLite tells."""
_DATABASE, VAULT_DAMAGED = "database", "vault_damaged"


def check(vault: Vault) -> Iterator[Finding]:
    """All findings: of records, of what erased ones left, of what the log says otherwise, of deliveries, of ciphertexts
    that nothing names.

    The vault may be in use meanwhile: what somebody erased or wrapped anew since is no finding.

    Raises:
        VaultError: `vault_unavailable`, `blobs_unavailable`.
    """
    for part in (_check_file, _check_records, _check_erased, _check_log, _check_deliveries, _check_blobs):
        try:
            with reading(vault.engine) as connection:
                hold_moment(connection)
                yield from part(vault, connection)
        except VaultDamageError as exc:  # so much of the part cannot be read
            yield Finding.of(_DATABASE, exc)


def _check_file(_: Vault, connection: Connection) -> Iterator[Finding]:
    """What SQLite itself finds wrong: pages and indexes that nothing else may look at."""
    if connection.dialect.name == "sqlite":
        with storing():
            told = connection.scalars(text(f"PRAGMA integrity_check({_MOST_TOLD})")).all()
        for each in told if list(told) != ["ok"] else ():
            yield Finding(_DATABASE, VAULT_DAMAGED, " ".join(str(each).split()))


def _check_records(vault: Vault, connection: Connection) -> Iterator[Finding]:
    live = (entry for entry in find(vault, connection, Wanted()) if entry.state == LIVE)
    for chunk in chunks(live):
        for entry in _doubtful(vault, chunk):
            yield from _check_again(vault, entry)


def _doubtful(vault: Vault, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Those records that do not seem to hold; all, where they cannot be read together."""
    try:
        with reading(vault.engine) as connection:
            hold_moment(connection)
            found = zip(entries, decrypt(vault, connection, entries), strict=True)
            return [entry for entry, opened in found if _fault(vault, connection, entry, opened) is not None]
    except VaultDamageError:
        return entries


def _check_again(vault: Vault, entry: Entry) -> Iterator[Finding]:
    """Look at a record as it is now: somebody may have erased it, or rotated keys."""
    try:
        with reading(vault.engine) as connection:
            hold_moment(connection)
            fault = _fault(vault, connection, entry, decrypt(vault, connection, [entry])[0])
        is_wrong = fault is not None and _is_live(vault, entry)
    except VaultDamageError as exc:
        fault, is_wrong = exc, True
    if fault is not None and is_wrong:
        yield Finding.of(entry.name, fault)


def _is_live(vault: Vault, entry: Entry) -> bool:
    """Whether a record is there still: what lies outside the database goes after the transaction that erases."""
    with reading(vault.engine) as connection, trusting_rows(RECORD):
        return connection.scalar(select(RECORD.c.state).where(RECORD.c.id == entry.id)) == LIVE


def _fault(
    vault: Vault, connection: Connection, entry: Entry, opened: Opened | ChartsealError
) -> ChartsealError | None:
    if isinstance(opened, ChartsealError):
        return opened
    try:
        _check_record(vault, connection, entry, opened)
    except ChartsealError as exc:
        return exc
    return None


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
        with trusting_rows(TERM):
            there = set(connection.scalars(select(TERM.c.term).where(TERM.c.record_id == opened.id)))
        if [there] != terms(vault.index, [facts]):
            raise VaultDamageError("the record's terms are not those of its contents", "terms_other")


def _check_erased(_: Vault, connection: Connection) -> Iterator[Finding]:
    """Of an erased record neither a key nor a term nor a delivery is left."""
    left_over = (
        (select(KEY.c.record_id).where(KEY.c.wrapped != NO_KEY), "a data key"),
        (select(TERM.c.record_id), "a term"),
        (select(DELIVERY.c.record_id), "a delivery"),
    )
    for ids, what in left_over:
        graves = select(RECORD.c.attester, RECORD.c.uid).where(RECORD.c.state == ERASED)
        left = graves.where(RECORD.c.id.in_(ids)).order_by(RECORD.c.id)
        with trusting_rows(RECORD):
            places = [record_name(bytes(row.attester), bytes(row.uid)) for row in connection.execute(left)]
        for place in places:
            yield Finding(place, "erasure_incomplete", f"the record is erased, and {what} is left")


def _check_log(_: Vault, connection: Connection) -> Iterator[Finding]:
    return against_log(connection)


def _check_deliveries(vault: Vault, connection: Connection) -> Iterator[Finding]:
    last = b""
    while True:
        rows = select(DELIVERY.c.locator, DELIVERY.c.blob).where(DELIVERY.c.locator > last)
        with trusting_rows(DELIVERY):
            found = connection.execute(rows.order_by(DELIVERY.c.locator).limit(_CHUNK)).all()
        if not found:
            return
        last = found[-1].locator
        for row, data in zip(found, vault.blobs.get_many(connection, [row.blob for row in found]), strict=True):
            if isinstance(data, VaultDamageError) and _waits(vault, row.locator):
                yield Finding(f"delivery 0x{row.locator.hex()}", data.code, data.detail)


def _waits(vault: Vault, locator: bytes) -> bool:
    """Whether a delivery still waits, as things are now."""
    with reading(vault.engine) as connection:
        return connection.execute(select(DELIVERY.c.locator).where(DELIVERY.c.locator == locator)).first() is not None


def _check_blobs(vault: Vault, connection: Connection) -> Iterator[Finding]:
    """What lies outside and no row names is left by a transaction that failed: `sweep` deletes it."""
    last = b""
    while True:
        with trusting_rows(BLOB):
            rows = select(BLOB.c.hash).where(BLOB.c.hash > last).order_by(BLOB.c.hash).limit(_CHUNK)
            hashes = list(connection.scalars(rows))
        if not hashes:
            return
        last = hashes[-1]
        for digest in sorted(set(hashes) - named(connection, hashes)):
            yield Finding(f"blob {name(digest)}", "blob_unnamed", "no row names the ciphertext")
