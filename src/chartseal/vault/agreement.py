"""Agreement with the log: no row is gone, older than the log knows it, or there again after it was erased; and what
had to be kept, by holds and retention, still has to be.

A row, its wrapped key and its ciphertext fit each other in an old copy of the database too: the log alone tells that
they were put back. Whether the log itself is whole is for `verify_log` to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from chartseal.errors import AuditError
from chartseal.vault.audit import Action
from chartseal.vault.audit.entry import Outline, decode, outline
from chartseal.vault.database import storing
from chartseal.vault.findings import Finding
from chartseal.vault.opening import record_name
from chartseal.vault.storing import Identity, of_identities
from chartseal.vault.tables import AUDIT, ERASED, ERASURE, HOLD, LIVE, RECORD

_CHUNK = 500
# As `record_text` names records. A text's own quotes are escaped, so that none can stand inside one.
_NAMED = re.compile(rb'"action":"([a-z]+)","what":"record 0x([0-9a-f]{40}) 0x([0-9a-f]{64}) ([0-9]{1,10})"')
_RETAINED = re.compile(rb'"basis":"retained until ([0-9TZ:-]{20})","detail"')
_HELD = re.compile(
    rb'"action":"(hold|release)","what":"hold ([0-9]{1,19})(?: on (record 0x[0-9a-f]{40} 0x[0-9a-f]{64}))?"'
)
_CREATE, _ERASE, _HOLD = (each.value.encode() for each in (Action.CREATE, Action.ERASE, Action.HOLD))


def against_log(connection: Connection) -> Iterator[Finding]:
    """What rows say otherwise than the log, each record once.

    Raises:
        VaultError: `vault_unavailable`.
    """
    told, duties, last = set[tuple[str, str]](), _Duties(), 0
    while True:
        entries = select(AUDIT.c.sequence, AUDIT.c.entry).where(AUDIT.c.sequence > last).order_by(AUDIT.c.sequence)
        with storing():
            rows = connection.execute(entries.limit(_CHUNK)).all()
        if not rows:
            break
        last = rows[-1].sequence
        data = [_bytes(row.entry) for row in rows]
        duties.read(connection, data)
        for finding in _against(connection, data):
            if finding[:2] not in told:
                told.add(finding[:2])
                yield finding
    yield from duties.findings(connection)
    yield from _unlogged(connection)


def _against(connection: Connection, entries: Sequence[bytes]) -> Iterator[Finding]:
    """Entries against the rows of the records that they name."""
    versions, stored, erased = dict[Identity, int](), dict[Identity, Outline](), set[Identity]()
    for found in filter(None, map(_NAMED.search, entries)):
        identity, version = _identity(found), int(found[4])
        versions[identity] = max(version, versions.get(identity, 0))
        if found[1] == _ERASE:
            erased.add(identity)
        if found[1] == _CREATE and (told := _outline(found.string)) is not None:
            stored[identity] = told
    there = _rows(connection, versions)
    for identity, version in versions.items():
        name, row = record_name(*identity), there.get(identity)
        if row is None:
            yield Finding(name, "record_missing", "the log knows the record, and there is no row of it")
        elif row.state == LIVE and identity in erased:
            yield Finding(name, "record_returned", "the record was erased, and is there again")
        elif row.state == LIVE and isinstance(row.version, int) and row.version < version:
            yield Finding(name, "version_older", "the log knows a newer ciphertext of the record")
        if row is not None and identity in stored:
            yield from _filed_otherwise(name, row, stored[identity])


def _filed_otherwise(name: str, row: Any, told: Outline) -> Iterator[Finding]:
    if row.stored_at != told.at:
        yield Finding(name, "stored_other", "the row bears another time of storing than the log")
    if row.state == LIVE and row.patient != told.patient:
        yield Finding(name, "patient_other", "the row bears another patient's pseudonym than the log")


def _outline(data: bytes) -> Outline | None:
    """What an entry says; of one that cannot be read `verify_log` tells."""
    try:
        return outline(data)
    except AuditError:
        return None


def _bytes(entry: object) -> bytes:
    """An entry's bytes; of none, or of what a damaged row has in their place, no bytes."""
    return entry if isinstance(entry, bytes) else b""


def _identity(found: re.Match[bytes]) -> Identity:
    return bytes.fromhex(found[2].decode()), bytes.fromhex(found[3].decode())


def _rows(connection: Connection, identities: dict[Identity, int]) -> dict[Identity, Any]:
    own = (RECORD.c.version, RECORD.c.state, RECORD.c.patient, RECORD.c.stored_at, RECORD.c.retain_until)
    columns = select(RECORD.c.attester, RECORD.c.uid, *own)
    with storing():
        rows = connection.execute(columns.where(of_identities(identities))).all() if identities else []
    return {(bytes(row.attester), bytes(row.uid)): row for row in rows}


class _Hold(NamedTuple):
    """A hold as the log knows it."""

    patient: bytes | None
    record: str
    """Its name, or nothing."""
    basis: str
    is_lifted: bool


class _Duties:
    """What must be kept, and until when, as the log tells it up to where it was read."""

    def __init__(self) -> None:
        self._holds = dict[int, _Hold]()
        self._other = dict[Identity, int]()
        """Records that bear another end of retention than the log's last word so far, which stands here."""

    def read(self, connection: Connection, entries: Sequence[bytes]) -> None:
        """Take the next entries."""
        retained = dict[Identity, int]()
        for data in entries:
            if (hold := _HELD.search(data)) is not None:
                self._read_hold(hold)
            found, until = _NAMED.search(data), _RETAINED.search(data)
            if found is not None and until is not None and found[1] == _HOLD:
                retained[_identity(found)] = _seconds(until[1].decode())
        rows = _rows(connection, retained)
        for identity, end in retained.items():
            row = rows.get(identity)
            if row is not None and row.state == LIVE and row.retain_until != end:
                self._other[identity] = end
            else:
                self._other.pop(identity, None)

    def _read_hold(self, found: re.Match[bytes]) -> None:
        number = int(found[2])
        if found[1] != _HOLD:
            if number in self._holds:
                self._holds[number] = self._holds[number]._replace(is_lifted=True)
            return
        try:
            entry = decode(found.string)
        except AuditError:  # for `verify_log` to say
            return
        record = (found[3] or b"").decode()
        self._holds[number] = _Hold(None if record else entry.patient, record, entry.basis, False)

    def findings(self, connection: Connection) -> Iterator[Finding]:
        """What rows have otherwise, once all is read."""
        with storing():
            named = select(HOLD, RECORD.c.attester, RECORD.c.uid).outerjoin(RECORD, RECORD.c.id == HOLD.c.record_id)
            there = {row.id: _held(row) for row in connection.execute(named.order_by(HOLD.c.id))}
        for number in sorted(self._holds.keys() | there.keys()):
            if there.get(number) != self._holds.get(number):
                yield Finding(f"hold {number}", "hold_other", "the log knows the hold otherwise, or has none")
        for identity in self._other:
            yield Finding(record_name(*identity), "retention_other", "the log knows another day until which it is kept")


def _held(row: Any) -> _Hold:
    record = "" if row.uid is None else record_name(bytes(row.attester), bytes(row.uid))
    return _Hold(None if row.patient is None else bytes(row.patient), record, row.basis, row.lifted_at is not None)


def _seconds(text: str) -> int:
    """A time in an entry; -1, which no row has, where it is none."""
    try:
        return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return -1


def _unlogged(connection: Connection) -> Iterator[Finding]:
    """Tombstones for which the log has no erasure, or another: who deletes a record's rows may leave one."""
    stated = (ERASURE.c.erased_at, ERASURE.c.basis)
    graves = select(RECORD.c.attester, RECORD.c.uid, AUDIT.c.entry, *stated).where(RECORD.c.state == ERASED)
    joined = graves.outerjoin(ERASURE, ERASURE.c.record_id == RECORD.c.id).outerjoin(
        AUDIT, AUDIT.c.sequence == ERASURE.c.sequence
    )
    with storing():
        rows = connection.execution_options(yield_per=_CHUNK).execute(joined.order_by(RECORD.c.id))
        for row in rows:
            identity = bytes(row.attester), bytes(row.uid)
            found = _NAMED.search(_bytes(row.entry))
            if found is None or found[1] != _ERASE or _identity(found) != identity:
                yield Finding(record_name(*identity), "erasure_unlogged", "the log has no erasure of the record")
            elif not _is_erasure(found.string, row.erased_at, row.basis):
                detail = "the log has another time or basis of the erasure"
                yield Finding(record_name(*identity), "erasure_other", detail)


def _is_erasure(data: bytes, at: object, basis: object) -> bool:
    """Whether an entry says so; of one that cannot be read `verify_log` tells."""
    try:
        entry = decode(data)
    except AuditError:
        return True
    return (entry.at, entry.basis) == (at, basis)
