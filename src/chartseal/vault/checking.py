"""Checking a vault: every ciphertext decrypts and is its row's record, and nothing lies about that no row names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import Connection, or_, select, text

from chartseal import _core
from chartseal.errors import ChartsealError, VaultDamageError, VaultError
from chartseal.sealing import SealedRecord
from chartseal.vault.agreement import against_log
from chartseal.vault.blobs.digests import digest_of, name
from chartseal.vault.blobs.inline import named
from chartseal.vault.database import bytes_of, hold_moment, reading, storing, trusting_rows
from chartseal.vault.finding import Wanted, find
from chartseal.vault.findings import Finding
from chartseal.vault.opening import Entry, Opened, chunks, decrypt, record_name
from chartseal.vault.storing import OVERHEAD
from chartseal.vault.tables import BLOB, DELIVERY, ERASED, KEY, NO_KEY, RECORD, TERM
from chartseal.vault.terms import read_facts, terms

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

_CHUNK = 500
_MOST_TOLD = 20
"""Faults of its file that SQLite tells."""
_DATABASE, VAULT_DAMAGED = "database", "vault_damaged"


def check(vault: Vault, *, before: datetime) -> Iterator[Finding]:
    """All findings: of records, of what erased ones left, of what the log says otherwise, of deliveries, of ciphertexts
    that nothing names; outside the database of those that were put before a time, since a newer one may be named yet.

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
    with reading(vault.engine) as connection:
        yield from _check_outside(vault, connection, before)


def _check_file(_: Vault, connection: Connection) -> Iterator[Finding]:
    """What SQLite itself finds wrong: pages and indexes that nothing else may look at."""
    if connection.dialect.name == "sqlite":
        with storing():
            told = connection.scalars(text(f"PRAGMA integrity_check({_MOST_TOLD})")).all()
        for each in told if list(told) != ["ok"] else ():
            yield Finding(_DATABASE, VAULT_DAMAGED, " ".join(str(each).split()))


def _check_records(vault: Vault, connection: Connection) -> Iterator[Finding]:
    standing = (entry for entry in find(vault, connection, Wanted()) if entry.state != ERASED)
    for chunk in chunks(standing):
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
        is_wrong = fault is not None and _stands(vault, entry)
    except VaultDamageError as exc:
        fault, is_wrong = exc, True
    if fault is not None and is_wrong:
        yield Finding.of(entry.name, fault)


def _stands(vault: Vault, entry: Entry) -> bool:
    """Whether a record is not erased: what lies outside the database goes after the transaction that erases."""
    with reading(vault.engine) as connection, trusting_rows(RECORD):
        return connection.scalar(select(RECORD.c.state).where(RECORD.c.id == entry.id)) not in (None, ERASED)


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
    if entry.size != len(opened.line) + OVERHEAD:
        raise VaultDamageError("the row bears another size than the ciphertext has", "size_other")
    if entry.sealed_at != facts.sealed_at:
        raise VaultDamageError("the row bears another time than the seal", "time_other")
    if vault.settings.searchable:
        with trusting_rows(TERM):
            there = set(connection.scalars(select(TERM.c.term).where(TERM.c.record_id == opened.id)))
        if [there] != terms(vault.index, [facts]):
            raise VaultDamageError("the record's terms are not those of its contents", "terms_other")
    _check_delivery(connection, record, opened)


def _check_delivery(connection: Connection, record: SealedRecord, opened: Opened) -> None:
    """What waits under a record's name must be its own delivery, which is the same however often it is made."""
    columns = select(DELIVERY.c.locator, DELIVERY.c.blob).where(DELIVERY.c.record_id == opened.id)
    with trusting_rows(DELIVERY):
        there = {(row.locator, row.blob) for row in connection.execute(columns)}
    if not there:
        return
    items = [(_core.parse_address(record.address), opened.ikm, opened.line)] if opened.ikm else []
    own = {(locator, digest_of(data)) for locator, data in _core.seal_deliveries(items)}
    if there != own:
        raise VaultDamageError("a delivery under the record's name is not its own", "delivery_other")


def _check_erased(_: Vault, connection: Connection) -> Iterator[Finding]:
    """Of an erased record neither a key nor a term nor a delivery is left, and its row tells no more than it must."""
    told = or_(RECORD.c.blob.is_not(None), RECORD.c.patient.is_not(None), RECORD.c.retain_until.is_not(None))
    left_over = (
        (select(RECORD.c.id).where(told | (RECORD.c.size != 0)), "something on its row"),
        (select(KEY.c.record_id).where(KEY.c.wrapped != NO_KEY), "a data key"),
        (select(TERM.c.record_id), "a term"),
        (select(DELIVERY.c.record_id), "a delivery"),
    )
    for ids, what in left_over:
        graves = select(RECORD.c.attester, RECORD.c.uid).where(RECORD.c.state == ERASED)
        left = graves.where(RECORD.c.id.in_(ids)).order_by(RECORD.c.id)
        with trusting_rows(RECORD):
            found = connection.execute(left).all()
            places = [record_name(bytes_of(row.attester, RECORD), bytes_of(row.uid, RECORD)) for row in found]
        for place in places:
            yield Finding(place, "erasure_incomplete", f"the record is erased, and {what} is left")


def _check_log(_: Vault, connection: Connection) -> Iterator[Finding]:
    return against_log(connection)


def _check_deliveries(vault: Vault, connection: Connection) -> Iterator[Finding]:
    last = b""
    while True:
        rows = select(DELIVERY.c.locator, DELIVERY.c.blob, DELIVERY.c.size).where(DELIVERY.c.locator > last)
        with trusting_rows(DELIVERY):
            found = connection.execute(rows.order_by(DELIVERY.c.locator).limit(_CHUNK)).all()
        if not found:
            return
        last = found[-1].locator
        for row, data in zip(found, vault.blobs.get_many(connection, [row.blob for row in found]), strict=True):
            fault = data
            if not isinstance(fault, VaultDamageError):
                if len(fault) == row.size:
                    continue
                fault = VaultDamageError("the row bears another size than the ciphertext has", "size_other")
            if _waits(vault, row.locator):
                yield Finding(f"delivery 0x{row.locator.hex()}", fault.code, fault.detail)


def _waits(vault: Vault, locator: bytes) -> bool:
    """Whether a delivery still waits, as things are now."""
    with reading(vault.engine) as connection:
        return connection.execute(select(DELIVERY.c.locator).where(DELIVERY.c.locator == locator)).first() is not None


def _check_blobs(vault: Vault, connection: Connection) -> Iterator[Finding]:
    last = b""
    while True:
        with trusting_rows(BLOB):
            rows = select(BLOB.c.hash).where(BLOB.c.hash > last).order_by(BLOB.c.hash).limit(_CHUNK)
            hashes = [bytes_of(each, BLOB) for each in connection.scalars(rows)]
        if not hashes:
            return
        last = hashes[-1]
        for digest in sorted(set(hashes) - named(connection, hashes)):
            yield Finding(f"blob {digest.hex()}", "blob_unnamed", "no row names the ciphertext")


def _check_outside(vault: Vault, connection: Connection, before: datetime) -> Iterator[Finding]:
    """What lies outside and no row names, as who was broken off leaves it: `sweep` deletes it."""
    if vault.blobs.store is None:
        return
    outside = vault.blobs.store.digests(before=before.timestamp())
    while hashes := list(islice(outside, _CHUNK)):
        for digest in sorted(set(hashes) - named(connection, hashes)):
            if _lies(vault, digest):
                told = "no row names the ciphertext, which lies outside: `expire` and `erase` delete it"
                yield Finding(f"blob {name(digest)}", "blob_unnamed", told)


def _lies(vault: Vault, digest: bytes) -> bool:
    """Whether a ciphertext lies outside, and no row names it, as things are now."""
    with reading(vault.engine) as connection:
        if vault.blobs.store is None or named(connection, [digest]):
            return False
    try:
        vault.blobs.store.get(digest)
    except VaultError as exc:
        if not isinstance(exc, VaultDamageError):
            raise
        return exc.code != "blob_missing"
    return True
