"""The audit log: acts become entries of one chain, in the transaction of the act.

log = AuditLog(keys.get(PSEUDONYMS), keys.get(ACCOUNTING))
with writing(engine) as connection:
    ...
    log.append(connection, [Act("clerk-7", Action.READ, record_text(attester, uid, 1))], now=now)

Its head stands in the vault's table of single values; a write to it makes writers follow each other.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from chartseal.errors import AuditError, VaultKeyError
from chartseal.vault.audit import detail as details
from chartseal.vault.audit.entry import (
    NONCE_SIZE,
    PATIENT_SIZE,
    Act,
    Entry,
    decode,
    encode,
    entry_hash,
    first_hash,
    seconds,
)
from chartseal.vault.database import bytes_of, storing
from chartseal.vault.rows import insert_rows
from chartseal.vault.tables import AUDIT, DETAIL, HEAD, META

LOG_ID = "id"
"""Its name in the vault's table of single values."""
TERM = timedelta(days=2_192)
"""How long details are kept: six years, for which accounting is owed (45 CFR 164.528(a)(1))."""

_Row = tuple[int, bytes, bytes, int, bytes | None]
_COLUMNS = (AUDIT.c.sequence, AUDIT.c.entry, AUDIT.c.hash, AUDIT.c.at, AUDIT.c.patient)
_SEQUENCE_SIZE = 8
_CHUNK = 1_000


class Receipt(NamedTuple):
    """Where an act was entered. Whoever keeps it can show later that the entry is gone or another."""

    sequence: int
    hash: bytes


class Head(NamedTuple):
    """The newest entry of a log: its number, 0 where there is none, and its hash."""

    sequence: int
    hash: bytes

    def to_bytes(self) -> bytes:
        """As it stands in the vault: u64be ‖ hash."""
        return self.sequence.to_bytes(_SEQUENCE_SIZE) + self.hash

    @classmethod
    def from_bytes(cls, data: object) -> Head:
        """Read it; a damaged row of SQLite may have anything in its place.

        Raises:
            AuditError: `head_malformed`.
        """
        if not isinstance(data, bytes) or len(data) != _SEQUENCE_SIZE + hashlib.sha256().digest_size:
            raise AuditError("the head is malformed", "head_malformed", "head")
        return cls(int.from_bytes(data[:_SEQUENCE_SIZE]), data[_SEQUENCE_SIZE:])


class AuditLog:
    """The log of one vault. Every method takes the caller's connection and part in its transaction; none commits."""

    def __init__(self, pseudonyms: bytes, accounting: bytes | None) -> None:
        """Take the key of patients' pseudonyms, and that of details; without it nothing with a detail is entered."""
        self._pseudonyms, self._accounting = pseudonyms, accounting

    def pseudonym(self, reference: bytes) -> bytes:
        """How the log names a patient: 16 bytes of HMAC-SHA256 over "patient" ‖ 00 ‖ reference."""
        return hmac.digest(self._pseudonyms, b"patient\0" + reference, hashlib.sha256)[:PATIENT_SIZE]

    def append(self, connection: Connection, entries: Sequence[Act], *, now: datetime) -> list[Receipt]:
        """Enter acts, in their order. From here to the transaction's end other writers of the log wait.

        An entry's time is what the clock says, even where it was set back; the order is that of the numbers.

        Raises:
            AuditError: `log_missing`: there is no vault; `head_missing`, `head_malformed`: the log was tampered with;
                `detail_malformed`.
            VaultKeyError: `key_missing`; a detail without the key of details.
            VaultError: `vault_unavailable`.
        """
        if not entries:
            return []
        with storing():
            log = log_id(connection)
            head = lock_head(connection, log)
            made = list(self._entered(log, head, entries, seconds(now)))
            insert_rows(connection, _COLUMNS, [row for row, _ in made])
            if kept := [kept for _, kept in made if kept is not None]:
                connection.execute(insert(DETAIL), kept)
            receipts = [Receipt(sequence, own) for (sequence, _, own, _, _), _ in made]
            last = Head(*receipts[-1])
            connection.execute(update(META).where(META.c.name == HEAD).values(value=last.to_bytes()))
        return receipts

    def _entered(
        self, log: bytes, head: Head, acts: Sequence[Act], at: int
    ) -> Iterator[tuple[_Row, dict[str, Any] | None]]:
        """Rows of the entries and of their details."""
        previous, nonces = head.hash, secrets.token_bytes(NONCE_SIZE * len(acts))
        for number, act in enumerate(acts):
            sequence = head.sequence + 1 + number
            nonce = nonces[NONCE_SIZE * number : NONCE_SIZE * (number + 1)]
            kept = self._kept(log, sequence, nonce, act, at)
            mark = () if kept is None else (hashlib.sha256(kept["data"]).digest(), kept["keep_until"])
            data = encode(act, sequence, nonce, at, *mark)
            previous = entry_hash(previous, data)
            yield (sequence, data, previous, at, act.patient), kept

    def _kept(self, log: bytes, sequence: int, nonce: bytes, act: Act, at: int) -> dict[str, Any] | None:
        if act.detail is None:
            return None
        if self._accounting is None:
            raise VaultKeyError("details are not entered without the key of accounting", "key_missing")
        data = details.encrypt(self._accounting, log, sequence, nonce, act.detail)
        keep_until = act.keep_until or at + int(TERM.total_seconds())
        return {"sequence": sequence, "data": data, "keep_until": keep_until}

    def find(
        self,
        connection: Connection,
        *,
        patient: bytes | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Entry]:
        """Entries about a patient (a pseudonym), from a time on and before one, in order.

        Raises:
            AuditError: `entry_malformed`.
            VaultError: `vault_unavailable`.
        """
        wanted = [AUDIT.c.patient == patient] if patient is not None else []
        wanted += [AUDIT.c.at >= seconds(since)] if since is not None else []
        wanted += [AUDIT.c.at < seconds(until)] if until is not None else []
        last = 0
        while True:
            rows = select(AUDIT.c.sequence, AUDIT.c.entry).where(*wanted, AUDIT.c.sequence > last)
            with storing():
                found = connection.execute(rows.order_by(AUDIT.c.sequence).limit(_CHUNK)).all()
            yield from map(_read, found)
            if len(found) < _CHUNK:
                return
            last = found[-1].sequence

    def detail(self, connection: Connection, entry: Entry) -> dict[str, str] | None:
        """An entry's detail, or None where it has none or its term has passed.

        Raises:
            AuditError: `detail_refused`.
            VaultKeyError: `key_missing`.
            VaultError: `vault_unavailable`.
            VaultDamageError: `vault_damaged`.
        """
        if entry.detail is None:
            return None
        if self._accounting is None:
            raise VaultKeyError("details are not read without the key of accounting", "key_missing")
        with storing():
            log = log_id(connection)
            data = connection.execute(select(DETAIL.c.data).where(DETAIL.c.sequence == entry.sequence)).scalar()
        if data is None:
            return None
        return details.decrypt(self._accounting, log, entry.sequence, entry.nonce, bytes_of(data, DETAIL))

    def expire(self, connection: Connection, *, now: datetime) -> int:
        """Delete the details whose term has passed; returns how many. The chain stays whole.

        Raises:
            VaultError: `vault_unavailable`.
        """
        with storing():
            return connection.execute(delete(DETAIL).where(DETAIL.c.keep_until <= seconds(now))).rowcount


def log_id(connection: Connection) -> bytes:
    """The log's id, which is the vault's.

    Raises:
        AuditError: `log_missing`.
        VaultError: `vault_unavailable`.
        VaultDamageError: `vault_damaged`.
    """
    with storing():
        found = connection.execute(select(META.c.value).where(META.c.name == LOG_ID)).scalar()
    if found is None:
        raise AuditError("there is no vault here", "log_missing")
    return bytes_of(found, META)


def _read(row: Any) -> Entry:
    if not isinstance(row.entry, bytes):
        raise AuditError("not an entry", "entry_malformed", f"entry {row.sequence}")
    return decode(row.entry)


def lock_head(connection: Connection, log: bytes) -> Head:
    """The head, kept from all other writers until the transaction ends: a write locks it in any database.

    Raises:
        AuditError: `head_missing`, `head_malformed`.
    """
    touch = update(META).where(META.c.name == HEAD).values(value=META.c.value).returning(META.c.value)
    found = connection.execute(touch).scalar()
    if found is None:
        _begin(connection, log)
        found = connection.execute(touch).scalar_one()
    return Head.from_bytes(found)


def _begin(connection: Connection, log: bytes) -> None:
    if connection.execute(select(AUDIT.c.sequence).limit(1)).scalar() is not None:
        raise AuditError("there are entries, but no head", "head_missing", "head")
    put = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = {"name": HEAD, "value": Head(0, first_hash(log)).to_bytes()}
    connection.execute(put(META).values(row).on_conflict_do_nothing())  # another may begin it at the same time
