"""Deliveries: what holders fetch, as a folder that any web server can give out.

The folder has `announcements.ndjson`, an anchor's page of announcements a line, and `deliveries/`, one ciphertext a
file, named by its locator in hex; a hidden file names the vault that it belongs to, by a hash. Whoever reads it learns
how many records there are, their padded sizes, and when they came; not whose they are.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, select

from chartseal import _core
from chartseal._whole_files import clear_parts
from chartseal.chain.anchors import AnchorTree, AnnouncementPage, announcements_leaf, read_pages
from chartseal.chain.anchors.leaves import ENTRY
from chartseal.chain.anchors.tables import ANNOUNCEMENT, BATCH, FINAL
from chartseal.errors import ChartsealError, VaultDamageError, VaultError
from chartseal.keys import DeliveryReceipt
from chartseal.sealing import SealedRecord
from chartseal.vault.audit import Act, Action, record_text
from chartseal.vault.audit.log import lock_head
from chartseal.vault.blobs import digests
from chartseal.vault.database import bytes_of, reading, storing, trusting_rows, writing
from chartseal.vault.exporting import PUBLIC, unwritable, write_bytes, write_lines
from chartseal.vault.moves import moves
from chartseal.vault.opening import COLUMNS, Entry, Opened, Reason, chunks, decrypt, patient_of
from chartseal.vault.storing import insert_deliveries
from chartseal.vault.tables import DELIVERY, LIVE, RECORD

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

PAGES, FOLDER, OWNER = "announcements.ndjson", "deliveries", ".vault"
_OWNER = b"chartseal/1/mailbox\0"
_CHUNK = 200
_MOST_ENTRIES = 100_000


class Published(NamedTuple):
    """What a folder has now, and what was done to it."""

    pages: int
    new: int
    removed: int


class Accepted(NamedTuple):
    """What receipts did."""

    deleted: int
    refused: tuple[tuple[bytes, ChartsealError], ...]
    """Locators of what is not deleted, and why: the receipt does not prove it, or the record cannot be opened."""


def publish(vault: Vault, folder: Path, *, actor: str, now: datetime, early: bool = False) -> Published:
    """Bring a folder up to date: pages of final anchors, deliveries that wait; those that are gone go from it.

    `early` adds a page of what no final anchor covers yet, so that holders need not wait for one; it stands under a
    root of its own, which no chain has.

    Raises:
        VaultError: `mailbox_other_vault`, `file_unwritable`, `disk_full`, `vault_unavailable`, `blobs_unavailable`.
        VaultDamageError: `blob_missing`, `blob_damaged`, `vault_damaged`; the other deliveries are written.
        QueueError: `queue_unavailable`.
    """
    try:
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        _take(folder / OWNER, vault.settings.id)
        for each in (folder, folder / FOLDER):
            clear_parts(each, now.timestamp())
        there = {locator for each in (folder / FOLDER).iterdir() if (locator := digests.named(each.name)) is not None}
    except OSError as exc:
        raise unwritable(exc, folder) from exc
    waiting = _locators(vault)
    damaged: list[VaultDamageError] = []
    new = 0
    for chunk in _chunks(sorted(waiting - there)):
        new += _write(vault, folder / FOLDER, chunk, damaged, Act(actor, Action.DELIVER, ""), now)
    gone = there - waiting
    for locator in gone:
        with suppress(FileNotFoundError):
            (folder / FOLDER / digests.name(locator)).unlink()
    with reading(vault.engine) as connection:  # after the ciphertexts: who reads an announcement finds what it means
        pages = write_lines(folder / PAGES, (page.to_json() for page in _pages(connection, early=early)), PUBLIC)
    if damaged:
        raise damaged[0]
    return Published(pages, new, len(gone))


def _take(mark: Path, vault: bytes) -> None:
    """Let a folder be the vault's own, or find that it is: what another vault delivers would be deleted.

    Raises:
        VaultError: `mailbox_other_vault`, `file_unwritable`, `disk_full`.
        OSError: it cannot be read.
    """
    own = hashlib.sha256(_OWNER + vault).hexdigest().encode() + b"\n"
    if not mark.exists():
        write_bytes(mark, own, PUBLIC)
    if mark.read_bytes() != own:
        raise VaultError(
            "another vault's mailbox: take another folder, or delete this file", "mailbox_other_vault", mark.name
        )


def _locators(vault: Vault) -> set[bytes]:
    with reading(vault.engine) as connection, trusting_rows(DELIVERY):
        return set(filter(digests.is_digest, connection.scalars(select(DELIVERY.c.locator))))


def _write(
    vault: Vault, folder: Path, locators: Sequence[bytes], damaged: list[VaultDamageError], act: Act, now: datetime
) -> int:
    waits = DELIVERY.c.locator.in_(locators)
    with reading(vault.engine) as connection:
        rows = _rows(connection, waits)
        blobs = vault.blobs.get_many(connection, [row.blob for row in rows])
        found = dict(zip(map(_locator, rows), blobs, strict=True))
    with writing(vault.engine) as connection:
        rows = [row for row in _rows(connection, waits) if _locator(row) in found]  # what went meanwhile is no damage
        whole = [row for row in rows if isinstance(found[_locator(row)], bytes)]
        vault.audit.append(connection, [_about(row, act) for row in whole], now=now)
    for locator in map(_locator, rows):
        data = found[locator]
        if isinstance(data, VaultDamageError):
            damaged.append(data)
        else:
            write_bytes(folder / digests.name(locator), data, PUBLIC)
    return len(whole)


def _locator(row: Any) -> bytes:
    return bytes_of(row.locator, DELIVERY)


def _rows(connection: Connection, condition: ColumnElement[bool]) -> Sequence[Any]:
    columns = (DELIVERY.c.locator, DELIVERY.c.blob, RECORD.c.attester, RECORD.c.uid, RECORD.c.version, RECORD.c.patient)
    wanted = select(*columns).join(RECORD, RECORD.c.id == DELIVERY.c.record_id).where(condition)
    with storing():
        return connection.execute(wanted.order_by(DELIVERY.c.locator)).all()


def _about(row: Any, act: Act) -> Act:
    """The act, about the delivery's record."""
    what = record_text(bytes_of(row.attester, RECORD), bytes_of(row.uid, RECORD), row.version)
    return Act(act.actor, act.action, what, patient_of(row), act.purpose, act.basis)


def _pages(connection: Connection, *, early: bool) -> Iterator[AnnouncementPage]:
    with trusting_rows(ANNOUNCEMENT):
        yield from read_pages(connection)
    if not early:
        return
    final = select(BATCH.c.id).where(BATCH.c.state == FINAL)
    rows = select(ANNOUNCEMENT.c.entry, ANNOUNCEMENT.c.time)
    rows = rows.where(ANNOUNCEMENT.c.batch_id.is_(None) | ANNOUNCEMENT.c.batch_id.not_in(final))
    with storing():
        found = connection.execute(rows.order_by(ANNOUNCEMENT.c.id)).all()
    for chunk in (found[at : at + _MOST_ENTRIES] for at in range(0, len(found), _MOST_ENTRIES)):
        page = b"".join(sorted({bytes_of(row.entry, ANNOUNCEMENT, ENTRY) for row in chunk}))
        leaf = announcements_leaf(page)
        tree = AnchorTree([leaf])
        with trusting_rows(ANNOUNCEMENT):
            newest = max(operator.index(row.time) for row in chunk)
        yield AnnouncementPage(tree.root, newest, page, tree.proof(leaf))


def accepted(vault: Vault, receipts: Iterable[DeliveryReceipt], *, actor: str, now: datetime) -> Accepted:
    """Delete deliveries that their holders have, as their receipts prove; one that is gone already is no fault.

    A record is opened for it, and given to nobody, so that this is not entered.

    Raises:
        VaultError: `vault_unavailable`, `blobs_unavailable`, `disk_full`.
    """
    act, refused, count = Act(actor, Action.ACCEPT, ""), list[tuple[bytes, ChartsealError]](), 0
    for chunk in _chunks(receipts):
        proven = list(_proven(vault, chunk, refused))
        count += _remove(vault, DELIVERY.c.locator.in_(proven), act, now)
    return Accepted(count, tuple(refused))


def _proven(
    vault: Vault, receipts: Sequence[DeliveryReceipt], refused: list[tuple[bytes, ChartsealError]]
) -> Iterator[bytes]:
    """Locators of what waits and is theirs who say so; what is not goes to `refused`."""
    by_locator = dict[bytes, list[DeliveryReceipt]]()  # one that is not good hides none that is
    for receipt in receipts:
        by_locator.setdefault(receipt.locator, []).append(receipt)
    with reading(vault.engine) as connection:
        columns = select(DELIVERY.c.locator, *COLUMNS).join(RECORD, RECORD.c.id == DELIVERY.c.record_id)
        with trusting_rows(RECORD):
            rows = connection.execute(columns.where(DELIVERY.c.locator.in_(by_locator))).all()
            entries = [Entry.of(row) for row in rows]
        found = decrypt(vault, connection, entries)
    for row, opened in zip(rows, found, strict=True):
        locator = _locator(row)
        try:
            if isinstance(opened, ChartsealError):
                raise opened
            seed = SealedRecord.from_json(opened.line).seed
            if not any(each.is_of(seed) for each in by_locator[locator]):
                raise VaultError("the receipt is not of who opened it", "delivery_receipt_refused")
        except ChartsealError as exc:
            refused.append((locator, exc))
        else:
            yield locator


def expire(vault: Vault, *, actor: str, now: datetime) -> int:
    """Delete deliveries whose time has passed; returns how many. The records stay, and can be delivered again.

    Raises:
        VaultError: as `accepted`.
        VaultDamageError: `vault_damaged`; the other deliveries are deleted.
    """
    past = DELIVERY.c.expires_at <= int(now.timestamp())
    with reading(vault.engine) as connection, storing():
        found = connection.scalars(select(DELIVERY.c.locator).where(past)).all()
    locators = list(filter(digests.is_digest, found))
    act = Act(actor, Action.EXPIRE, "")
    # Asked again when it goes: somebody may have made it wait longer since.
    gone = sum(_remove(vault, past & DELIVERY.c.locator.in_(chunk), act, now) for chunk in _chunks(locators))
    if len(locators) < len(found):
        raise VaultDamageError("a row holds what its columns cannot", "vault_damaged", DELIVERY.name)
    return gone


def withdraw(vault: Vault, records: Iterable[int], *, actor: str, now: datetime, basis: str) -> int:
    """Delete the deliveries of records (by their ids) that nobody should fetch any more; returns how many.

    Raises:
        VaultError: as `accepted`.
    """
    act = Act(actor, Action.EXPIRE, "", basis=basis)
    return sum(_remove(vault, DELIVERY.c.record_id.in_(chunk), act, now) for chunk in _chunks(records))


def _remove(vault: Vault, condition: ColumnElement[bool], act: Act, now: datetime) -> int:
    with writing(vault.engine) as connection, trusting_rows(DELIVERY):
        lock_head(connection, vault.settings.id)  # before any delivery, as whoever makes or erases them
        rows = _rows(connection, condition)
        if rows:
            connection.execute(delete(DELIVERY).where(DELIVERY.c.locator.in_([row.locator for row in rows])))
        for row in rows:
            vault.blobs.delete(connection, row.blob)
        vault.audit.append(connection, [_about(row, act) for row in rows], now=now)
    vault.blobs.after_commit(vault.engine)
    return len(rows)


def redeliver(vault: Vault, entries: Iterable[Entry], *, actor: str, now: datetime, days: int) -> int:
    """Make the deliveries of records again, the very same as before; returns how many. Each is entered with its record.

    A record that moved to another address is delivered there, by what it became, and at its own no more.

    Raises:
        VaultError: `record_erased`, `delivery_unknown`: a record came without its keying material; as `Vault.lines`.
            Those of the other records are made.
    """
    expires_at, made = int((now + timedelta(days=days)).timestamp()), 0
    reason = Reason(actor, now, "TREAT", "", Action.DELIVER)
    faults = list[ChartsealError]()
    for chunk in chunks(_staying(vault, entries)):
        whole = list(_deliverable(vault, chunk, faults))
        sealed = _core.seal_deliveries([item for _, item in whole])
        with writing(vault.engine) as connection:
            live = _live(vault, connection, [each.id for each, _ in whole])  # what was erased or moved stays so
            vault.audit.append(connection, [reason.act(each) for each, _ in whole if each.id in live], now=now)
            rows = [(each.id, *delivery) for (each, _), delivery in zip(whole, sealed, strict=True) if each.id in live]
            insert_deliveries(vault, connection, rows, expires_at)
        made += len(live)
    if faults:
        raise faults[0]
    return made


def _deliverable(
    vault: Vault, entries: Sequence[Entry], faults: list[ChartsealError]
) -> Iterator[tuple[Opened, tuple[bytes, bytes, bytes]]]:
    """The records that can be delivered, with what delivers them; why the others cannot goes to `faults`."""
    with reading(vault.engine) as connection:
        found = decrypt(vault, connection, entries)
    for each in found:
        try:
            if isinstance(each, ChartsealError):
                raise each
            yield each, _delivery(each)
        except ChartsealError as exc:
            faults.append(exc)


def _staying(vault: Vault, entries: Iterable[Entry]) -> Iterator[Entry]:
    for chunk in _chunks(entries):
        with reading(vault.engine) as connection:
            gone = moves(connection, [each.id for each in chunk])
        yield from (each for each in chunk if each.id not in gone)


def _live(vault: Vault, connection: Connection, ids: Sequence[int]) -> set[int]:
    """Those records that are there and did not move, and are not erased or moved before the transaction ends."""
    wanted = select(RECORD.c.id).where(RECORD.c.id.in_(ids), RECORD.c.state == LIVE).order_by(RECORD.c.id)
    with storing():
        found = set(connection.scalars(wanted.with_for_update(read=True)))
        lock_head(connection, vault.settings.id)  # after records, as whoever erases; whoever moves waits from here
    return found - moves(connection, sorted(found)).keys()


def _delivery(opened: Opened) -> tuple[bytes, bytes, bytes]:
    if not opened.ikm:
        raise VaultError("the record came without what delivers it", "delivery_unknown", opened.what)
    try:
        address = _core.parse_address(SealedRecord.from_json(opened.line).address)
    except ChartsealError as exc:
        raise VaultDamageError("the record has no sealing address", "record_damaged", opened.what) from exc
    return address, opened.ikm, opened.line


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    return iter(lambda: list(islice(rest, _CHUNK)), [])
