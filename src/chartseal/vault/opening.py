"""Opening: records out of the vault, each read entered into the audit chain before anybody sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, select

from chartseal import _core
from chartseal.errors import ChartsealError, CoreError, VaultDamageError, VaultError
from chartseal.vault import contents
from chartseal.vault.audit import Act, Action, record_text
from chartseal.vault.audit.entry import PATIENT_SIZE
from chartseal.vault.database import reading, trusting_rows, writing
from chartseal.vault.epochs import Epoch
from chartseal.vault.storing import Identity
from chartseal.vault.tables import ERASED, ERASURE, KEY, LIVE, RECORD

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

CHUNK = 100
"""Records that are in memory at once."""

COLUMNS = (
    RECORD.c.id,
    RECORD.c.attester,
    RECORD.c.uid,
    RECORD.c.sealed_at,
    RECORD.c.stored_at,
    RECORD.c.size,
    RECORD.c.state,
)


NO_NUMBER = -1
"""In place of a number that a damaged row holds."""
_LARGEST_NUMBER = 253_402_300_799
"""9999-12-31T23:59:59Z, and larger than any ciphertext."""
_LARGEST_VERSION = 2**32 - 1


class Entry(NamedTuple):
    """What the vault tells of a record without opening it."""

    id: int
    identity: Identity
    sealed_at: int
    stored_at: int
    size: int
    """Bytes of its ciphertext."""
    state: int
    """`LIVE`, or `ERASED`: its tombstone."""

    @classmethod
    def of(cls, row: Any) -> Entry:
        """A row of `COLUMNS`; of a number that cannot be there `NO_NUMBER`, so that one damaged row hides no other.

        Raises:
            TypeError, ValueError: the row tells no identity.
        """
        if (len(row.attester), len(row.uid)) != (20, 32):
            raise ValueError("not a row of a record")
        numbers = map(number_of, (row.sealed_at, row.stored_at, row.size, row.state))
        return cls(row.id, (bytes(row.attester), bytes(row.uid)), *numbers)

    @property
    def name(self) -> str:
        """The record as errors and the audit chain name it."""
        return record_name(*self.identity)


@dataclass(frozen=True, slots=True)
class Opened:
    """A record, decrypted. Its contents are as they were stored; nothing of them is checked here."""

    id: int
    identity: Identity
    version: int
    patient: bytes | None
    ikm: bytes = field(repr=False)
    """Of its delivery; empty where it is not known."""
    line: bytes = field(repr=False)

    @property
    def what(self) -> str:
        """As the audit chain names it."""
        return record_text(*self.identity, self.version)


@dataclass(frozen=True, slots=True)
class Reason:
    """Who opens records, when and why: what the audit chain says of each."""

    actor: str
    now: datetime
    purpose: str
    basis: str
    action: Action

    def act(self, opened: Opened) -> Act:
        """What is entered of one."""
        return Act(self.actor, self.action, opened.what, opened.patient, self.purpose, self.basis)


def number_of(value: object) -> int:
    """A time or a size on a row; `NO_NUMBER` for what can be neither."""
    return value if isinstance(value, int) and 0 <= value <= _LARGEST_NUMBER else NO_NUMBER


def patient_of(row: Any) -> bytes | None:
    """The pseudonym on a record's row; None where it bears none, or what cannot be one."""
    patient = row.patient
    return patient if isinstance(patient, bytes) and len(patient) == PATIENT_SIZE else None


def record_name(attester: bytes, uid: bytes) -> str:
    """A record's identity in words."""
    return f"record 0x{attester.hex()} 0x{uid.hex()}"


def chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """As many as are opened at once."""
    rest = iter(entries)
    return iter(lambda: list(islice(rest, CHUNK)), [])


def give(
    vault: Vault, entries: Iterable[Entry], reason: Reason, *, stops: bool = False
) -> Iterator[Opened | ChartsealError]:
    """The records in the order of the entries, and in place of one that cannot be had, why.

    Before the first of a chunk is given, all that are given of it are entered into the audit chain, and no others. What
    `stops` ends with the first that cannot be had.

    Raises:
        VaultError: `vault_unavailable`, `blobs_unavailable`.
    """
    for chunk in chunks(entries):
        with reading(vault.engine) as connection:
            found = decrypt(vault, connection, chunk)
        faults = (at for at, each in enumerate(found) if isinstance(each, ChartsealError))
        end = next(faults, None) if stops else None
        given = found if end is None else found[: end + 1]
        with writing(vault.engine) as connection:
            acts = [reason.act(each) for each in given if isinstance(each, Opened)]
            vault.audit.append(connection, acts, now=reason.now)
        yield from given
        if end is not None:
            return


def decrypt(vault: Vault, connection: Connection, entries: Sequence[Entry]) -> list[Opened | ChartsealError]:
    """The records in the order of the entries; in place of one that cannot be had, why.

    Raises:
        VaultError: `vault_unavailable`, `blobs_unavailable`.
    """
    rows = _rows(connection, [entry.id for entry in entries])
    found: dict[int, Opened | ChartsealError] = {row.id: _damage(row) for row in rows.values() if not _is_whole(row)}
    named = {number: row for number, row in rows.items() if row.state == LIVE and row.blob is not None}
    live = {number: row for number, row in named.items() if number not in found}
    blobs = vault.blobs.get_many(connection, [row.blob for row in live.values()])
    ready: dict[int, list[tuple[Any, bytes]]] = {}
    for row, blob in zip(live.values(), blobs, strict=True):
        if isinstance(blob, VaultDamageError):
            found[row.id] = type(blob)(blob.detail, blob.code, _name(row))
        elif row.wrapped is None:
            found[row.id] = VaultDamageError("a record has no data key", "data_key_missing", _name(row))
        else:
            ready.setdefault(row.epoch, []).append((row, blob))
    for epoch, items in ready.items():
        found.update(_decrypt(vault, epoch, items))
    return [found.get(entry.id) or _absent(entry, rows) for entry in entries]


def _rows(connection: Connection, ids: Sequence[int]) -> dict[int, Any]:
    """Records with their newest wrap: while keys are rotated a record may have two."""
    wanted = (
        select(RECORD, KEY.c.epoch, KEY.c.wrapped, ERASURE.c.erased_at)
        .select_from(RECORD.outerjoin(KEY).outerjoin(ERASURE))
        .where(RECORD.c.id.in_(ids))
        .order_by(KEY.c.epoch)
    )
    with trusting_rows(RECORD):
        rows = {row.id: row for row in connection.execute(wanted)}
        for row in rows.values():
            Entry.of(row)
    return rows


def _is_whole(row: Any) -> bool:
    """Whether a live record's row holds what its columns may: SQLite keeps anything in any column."""
    if row.state != LIVE:
        return True
    blobs = (row.blob, row.wrapped)
    numbers = (row.version, 1 if row.epoch is None else row.epoch)
    return (
        all(each is None or isinstance(each, bytes) for each in blobs)
        and all(isinstance(each, int) and 0 <= each <= _LARGEST_VERSION for each in numbers)
        and row.patient == patient_of(row)
    )


def _damage(row: Any) -> VaultDamageError:
    return VaultDamageError("the record's row holds what its columns cannot", "vault_damaged", _name(row))


def _decrypt(
    vault: Vault, epoch: int, items: Sequence[tuple[Any, bytes]]
) -> Iterator[tuple[int, Opened | ChartsealError]]:
    try:
        secret = vault.epochs.secret(epoch)
    except VaultError as exc:
        yield from ((row.id, type(exc)(exc.detail, exc.code, _name(row))) for row, _ in items)
        return
    info = Epoch(epoch, _core.reader_public(secret)).info
    opened = _core.decrypt_records(
        secret,
        [
            (
                bytes(row.wrapped),
                info(bytes(row.attester), bytes(row.uid)),
                blob,
                contents.associated(bytes(row.attester), bytes(row.uid), row.version),
            )
            for row, blob in items
        ],
    )
    for (row, _), data in zip(items, opened, strict=True):
        yield row.id, _opened(row, data)


def _opened(row: Any, data: bytes | CoreError) -> Opened | ChartsealError:
    if isinstance(data, CoreError):
        return VaultDamageError("a record does not decrypt", data.code, _name(row))
    try:
        ikm, line = contents.split(data, _name(row))
    except VaultDamageError as exc:
        return exc
    return Opened(row.id, (bytes(row.attester), bytes(row.uid)), row.version, patient_of(row), ikm, line)


def _name(row: Any) -> str:
    return record_name(bytes(row.attester), bytes(row.uid))


def _absent(entry: Entry, rows: dict[int, Any]) -> VaultError:
    row = rows.get(entry.id)
    if row is None:
        return VaultError("the vault never had such a record", "record_unknown", entry.name)
    if row.state == LIVE:
        return VaultDamageError("a record names no ciphertext", "blob_missing", entry.name)
    if row.state != ERASED:
        return VaultDamageError("the row bears a state that there is none of", "state_unknown", entry.name)
    erased_at = number_of(row.erased_at)
    at = "" if erased_at == NO_NUMBER else f" since {datetime.fromtimestamp(erased_at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return VaultError(f"the record is erased{at}", "record_erased", entry.name)
