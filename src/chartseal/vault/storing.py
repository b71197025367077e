"""Storing: a batch of sealed records is encrypted, then kept in one transaction, each wholly or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, func, select, tuple_

from chartseal import _core
from chartseal.chain.anchors import AnchorQueue
from chartseal.errors import LimitError, VaultError
from chartseal.sealing import SealedLine
from chartseal.sealing.sealed import LARGEST_RECORD
from chartseal.vault import contents
from chartseal.vault.audit import Act, Action, record_text
from chartseal.vault.audit.log import lock_head
from chartseal.vault.database import reading, storing, trusting_rows, writing
from chartseal.vault.rows import held, insert_rows
from chartseal.vault.succession import is_any_left
from chartseal.vault.tables import DELIVERY, KEY, LIVE, RECORD, TERM
from chartseal.vault.terms import Facts, read_facts, terms

if TYPE_CHECKING:
    from chartseal.vault.epochs import Epoch
    from chartseal.vault.vault import Vault

MOST_LINES = 1_000
"""Of one batch."""
VERSION = 1
"""Of a record's first ciphertext."""
OVERHEAD = contents.IKM_SIZE + 12 + 16
"""Bytes by which a record's ciphertext is longer than its line: keying material, nonce and tag."""

_RECORD_COLUMNS = (
    RECORD.c.attester,
    RECORD.c.uid,
    RECORD.c.version,
    RECORD.c.state,
    RECORD.c.blob,
    RECORD.c.size,
    RECORD.c.patient,
    RECORD.c.sealed_at,
    RECORD.c.stored_at,
)
_DELIVERY_COLUMNS = (
    DELIVERY.c.locator,
    DELIVERY.c.record_id,
    DELIVERY.c.blob,
    DELIVERY.c.size,
    DELIVERY.c.expires_at,
)

_AGAIN = (
    "ON CONFLICT (locator) DO UPDATE SET record_id = excluded.record_id, blob = excluded.blob, size = excluded.size, "
    "expires_at = CASE WHEN excluded.expires_at > vault_delivery.expires_at THEN excluded.expires_at "
    "ELSE vault_delivery.expires_at END"
)

Identity = tuple[bytes, bytes]
"""Attester (20 bytes) and uid (32)."""


class Stored(NamedTuple):
    """How many records of a batch are new, and how many were there before."""

    new: int
    known: int


@dataclass(frozen=True, slots=True)
class Parcel:
    """One record, encrypted for the vault and, where its keying material is known, for its holder."""

    facts: Facts
    patient: bytes
    """Pseudonym."""
    ciphertext: bytes = field(repr=False)
    wrapped: bytes = field(repr=False)
    delivery: tuple[bytes, bytes] | None = field(repr=False)
    """Locator and ciphertext."""

    @property
    def identity(self) -> Identity:
        """Attester and uid."""
        return self.facts.attester, self.facts.uid


@dataclass(frozen=True)
class Order:
    """How a batch is stored: by whom and why, when, into which queue, and until when deliveries wait."""

    actor: str
    now: datetime
    queue: AnchorQueue | None = None
    delivery_days: int = 0
    purpose: str = "TREAT"
    basis: str = ""
    patients: Mapping[Identity, bytes] = field(default_factory=dict)
    """Pseudonyms of those of the records whose patient the vault knows by another of hers."""


def put(vault: Vault, lines: Sequence[SealedLine], order: Order, also: Callable[[Connection], None]) -> Stored:
    """Keep records in one transaction, in which `also` takes part; what is there, or was erased, changes nothing.

    Raises:
        LimitError: `record_too_large`.
        VaultError: `line_malformed`, `address_left`, `quota_exceeded`, `blobs_unavailable`, `vault_unavailable`,
            `disk_full`.
        QueueError, SignatureError: as the queue says.
    """
    batch = _looked_at(lines)
    while True:
        with reading(vault.engine) as connection:
            epoch = vault.epochs.current(connection)
            there = _known(connection, batch)
        fresh = [each for identity, each in batch.items() if identity not in there]
        parcels = _encrypt(vault, fresh, epoch, order)
        with writing(vault.engine) as connection:
            lock_head(connection, vault.settings.id)  # from here no epoch begins, and nobody else counts the room
            if vault.epochs.current(connection) != epoch:
                continue
            new = _store(vault, connection, parcels, epoch, order) if parcels else 0
            also(connection)
        return Stored(new, len(batch) - new)


def _looked_at(lines: Sequence[SealedLine]) -> dict[Identity, tuple[Facts, SealedLine]]:
    """The batch by identity: a record that stands twice in it is one.

    Raises:
        LimitError: `record_too_large`.
        VaultError: `line_malformed`; the path of either says which of the batch, counted from one.
    """
    for at, each in enumerate(lines, 1):
        if len(each.line) > LARGEST_RECORD:
            raise LimitError("the sealed record is too long", "record_too_large", f"line {at}")
    looked = zip(read_facts([each.line for each in lines]), lines, strict=True)
    return {(facts.attester, facts.uid): (facts, each) for facts, each in looked}


def _known(connection: Connection, identities: Iterable[Identity]) -> set[Identity]:
    """Those that the vault has, or had."""
    by_attester: dict[bytes, list[bytes]] = {}
    for attester, uid in identities:
        by_attester.setdefault(attester, []).append(uid)
    with storing():
        return {
            (attester, uid)
            for attester, uids in by_attester.items()
            for uid in held(connection, (RECORD.c.attester, attester), RECORD.c.uid, uids)
        }


def _encrypt(vault: Vault, batch: Iterable[tuple[Facts, SealedLine]], epoch: Epoch, order: Order) -> list[Parcel]:
    """Encrypt records under data keys of their own, wrapped for the epoch."""
    items = list(batch)
    pairs = [(facts.attester, facts.uid) for facts, _ in items]
    encrypted = _core.encrypt_records(
        [contents.payload(each.ikm, each.line) for _, each in items],
        [contents.associated(*pair, VERSION) for pair in pairs],
        [epoch.info(*pair) for pair in pairs],
        epoch.reader,
    )
    sendable = [at for at, (_, each) in enumerate(items) if order.delivery_days > 0 and each.ikm]
    sealed = _core.seal_deliveries([(items[at][1].address, items[at][1].ikm, items[at][1].line) for at in sendable])
    deliveries: Mapping[int, tuple[bytes, bytes]] = dict(zip(sendable, sealed, strict=True))
    patients = [
        order.patients.get(pair) or vault.pseudonym_of(facts, each.patient)
        for pair, (facts, each) in zip(pairs, items, strict=True)
    ]
    return [
        Parcel(facts, patients[at], ciphertext, wrapped, deliveries.get(at))
        for at, ((facts, _), (ciphertext, wrapped)) in enumerate(zip(items, encrypted, strict=True))
    ]


def _store(vault: Vault, connection: Connection, parcels: Sequence[Parcel], epoch: Epoch, order: Order) -> int:
    """Keep a batch in the caller's transaction; returns how many records were not there.

    Raises:
        VaultError: `address_left`, `quota_exceeded`, `blobs_unavailable`, `vault_unavailable`, `disk_full`.
        QueueError, SignatureError: as the queue says.
    """
    with storing():
        there = _known(connection, [parcel.identity for parcel in parcels])
        new = sorted((each for each in parcels if each.identity not in there), key=lambda each: each.identity)
        if not new:
            return 0
        _require_addresses(vault, connection, new)
        ids = _insert_records(vault, connection, new, order.now)
        _require_room(vault, connection, new)
        wraps = [(record, epoch.number, parcel.wrapped) for record, parcel in zip(ids, new, strict=True)]
        insert_rows(connection, (KEY.c.record_id, KEY.c.epoch, KEY.c.wrapped), wraps)
        if vault.settings.searchable:
            _insert_terms(vault, connection, ids, new)
        _insert_deliveries(vault, connection, ids, new, order)
    if order.queue is not None:
        facts = [parcel.facts for parcel in new]
        order.queue.add_seals(connection, facts)
        entries = [(each.announcement, each.sealed_at) for each in facts]
        order.queue.add_announcements(connection, [(entry, at) for entry, at in entries if entry is not None])
    vault.audit.append(connection, [_act(parcel, order) for parcel in new], now=order.now)
    return len(new)


def _require_addresses(vault: Vault, connection: Connection, parcels: Sequence[Parcel]) -> None:
    """Nobody who left an address finds what is sealed there from then on; who kept it might.

    Raises:
        VaultError: `address_left`.
    """
    if is_any_left(vault, connection, {parcel.facts.address for parcel in parcels}):
        detail = "a patient left an address of these records for another one: the map of patients is old"
        raise VaultError(f"{detail}, take her notice again", "address_left")


def _insert_records(vault: Vault, connection: Connection, parcels: Sequence[Parcel], now: datetime) -> list[int]:
    """Their ids. Whoever stores has locked the head, so that all rows that come are these."""
    digests = vault.blobs.put_many(connection, [parcel.ciphertext for parcel in parcels])
    last = connection.execute(select(func.coalesce(func.max(RECORD.c.id), 0))).scalar_one()
    stored_at = int(now.timestamp())
    rows = [
        (
            *parcel.identity,
            VERSION,
            LIVE,
            digest,
            len(parcel.ciphertext),
            parcel.patient,
            parcel.facts.sealed_at,
            stored_at,
        )
        for parcel, digest in zip(parcels, digests, strict=True)
    ]
    insert_rows(connection, _RECORD_COLUMNS, rows)
    made = select(RECORD.c.id, RECORD.c.attester, RECORD.c.uid).where(RECORD.c.id > last)
    with trusting_rows(RECORD):
        ids = {(bytes(row.attester), bytes(row.uid)): row.id for row in connection.execute(made)}
    return [ids[parcel.identity] for parcel in parcels]


def _require_room(vault: Vault, connection: Connection, parcels: Sequence[Parcel]) -> None:
    """The records' rows are there already and count; everything goes back if there is no room.

    Raises:
        VaultError: `quota_exceeded`.
    """
    if vault.settings.quota is None:
        return
    stored = connection.execute(select(func.coalesce(func.sum(RECORD.c.size), 0)).where(RECORD.c.state == LIVE))
    waiting = connection.execute(select(func.coalesce(func.sum(DELIVERY.c.size), 0)))
    coming = sum(len(parcel.delivery[1]) for parcel in parcels if parcel.delivery)
    if int(stored.scalar_one()) + int(waiting.scalar_one()) + coming > vault.settings.quota:
        raise VaultError("the records would take more room than the vault's quota", "quota_exceeded")


def _insert_terms(vault: Vault, connection: Connection, ids: Sequence[int], parcels: Sequence[Parcel]) -> None:
    found = zip(ids, terms(vault.index, [parcel.facts for parcel in parcels]), strict=True)
    pairs = sorted((each, record) for record, group in found for each in group)
    insert_rows(connection, (TERM.c.term, TERM.c.record_id), pairs)


def _insert_deliveries(
    vault: Vault, connection: Connection, ids: Sequence[int], parcels: Sequence[Parcel], order: Order
) -> None:
    expires_at = int((order.now + timedelta(days=order.delivery_days)).timestamp())
    found = [(record, *parcel.delivery) for record, parcel in zip(ids, parcels, strict=True) if parcel.delivery]
    insert_deliveries(vault, connection, found, expires_at)


def insert_deliveries(
    vault: Vault, connection: Connection, found: Sequence[tuple[int, bytes, bytes]], expires_at: int
) -> None:
    """Keep ciphertexts for holders, (record's id, locator, ciphertext) each, until they are fetched or expire.

    One that waits already is put right, and waits until the later time.
    """
    if not found:
        return
    hashes = vault.blobs.put_many(connection, [ciphertext for _, _, ciphertext in found])
    rows = [
        (locator, record, digest, len(data), expires_at)
        for (record, locator, data), digest in zip(found, hashes, strict=True)
    ]
    with storing():
        insert_rows(connection, _DELIVERY_COLUMNS, rows, _AGAIN)


def _act(parcel: Parcel, order: Order) -> Act:
    what = record_text(*parcel.identity, VERSION)
    return Act(order.actor, Action.CREATE, what, parcel.patient, order.purpose, order.basis)


def of_identities(identities: Iterable[Identity]) -> Any:
    """A condition on records: those with one of the identities.

    SQLite goes through the index only for what is said of each column by itself.
    """
    pairs = list(identities)
    attesters, uids = {attester for attester, _ in pairs}, {uid for _, uid in pairs}
    each = RECORD.c.attester.in_(attesters) & RECORD.c.uid.in_(uids)
    return each if len(attesters) == 1 else each & tuple_(RECORD.c.attester, RECORD.c.uid).in_(pairs)
