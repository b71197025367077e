"""Agreement with the log: no row is gone, older than the log knows it, or there again after it was erased.

A row, its wrapped key and its ciphertext fit each other in an old copy of the database too: the log alone tells that
they were put back. Whether the log itself is whole is for `verify_log` to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select

from chartseal.vault.audit import Action
from chartseal.vault.database import storing
from chartseal.vault.findings import Finding
from chartseal.vault.opening import record_name
from chartseal.vault.storing import Identity, of_identities
from chartseal.vault.tables import AUDIT, ERASED, ERASURE, LIVE, RECORD

_CHUNK = 500
# As `record_text` names records. A text's own quotes are escaped, so that none can stand inside one.
_NAMED = re.compile(rb'"action":"([a-z]+)","what":"record 0x([0-9a-f]{40}) 0x([0-9a-f]{64}) ([0-9]{1,10})"')
_ERASE = Action.ERASE.value.encode()


def against_log(connection: Connection) -> Iterator[Finding]:
    """What rows say otherwise than the log, each record once.

    Raises:
        VaultError: `vault_unavailable`.
    """
    told, last = set[tuple[str, str]](), 0
    while True:
        entries = select(AUDIT.c.sequence, AUDIT.c.entry).where(AUDIT.c.sequence > last).order_by(AUDIT.c.sequence)
        with storing():
            rows = connection.execute(entries.limit(_CHUNK)).all()
        if not rows:
            break
        last = rows[-1].sequence
        for finding in _against(connection, [bytes(row.entry) for row in rows]):
            if finding[:2] not in told:
                told.add(finding[:2])
                yield finding
    yield from _unlogged(connection)


def _against(connection: Connection, entries: Sequence[bytes]) -> Iterator[Finding]:
    """Entries against the rows of the records that they name."""
    versions, erased = dict[Identity, int](), set[Identity]()
    for found in filter(None, map(_NAMED.search, entries)):
        identity, version = _identity(found), int(found[4])
        versions[identity] = max(version, versions.get(identity, 0))
        if found[1] == _ERASE:
            erased.add(identity)
    there = _rows(connection, versions)
    for identity, version in versions.items():
        name, row = record_name(*identity), there.get(identity)
        if row is None:
            yield Finding(name, "record_missing", "the log knows the record, and there is no row of it")
        elif row.state == LIVE and identity in erased:
            yield Finding(name, "record_returned", "the record was erased, and is there again")
        elif row.state == LIVE and row.version < version:
            yield Finding(name, "version_older", "the log knows a newer ciphertext of the record")


def _identity(found: re.Match[bytes]) -> Identity:
    return bytes.fromhex(found[2].decode()), bytes.fromhex(found[3].decode())


def _rows(connection: Connection, identities: dict[Identity, int]) -> dict[Identity, Any]:
    columns = select(RECORD.c.attester, RECORD.c.uid, RECORD.c.version, RECORD.c.state)
    with storing():
        rows = connection.execute(columns.where(of_identities(identities))).all() if identities else []
    return {(bytes(row.attester), bytes(row.uid)): row for row in rows}


def _unlogged(connection: Connection) -> Iterator[Finding]:
    """Tombstones for which the log has no erasure: who deletes a record's rows may leave one."""
    graves = select(RECORD.c.attester, RECORD.c.uid, AUDIT.c.entry).where(RECORD.c.state == ERASED)
    joined = graves.outerjoin(ERASURE, ERASURE.c.record_id == RECORD.c.id).outerjoin(
        AUDIT, AUDIT.c.sequence == ERASURE.c.sequence
    )
    with storing():
        rows = connection.execution_options(yield_per=_CHUNK).execute(joined.order_by(RECORD.c.id))
        for row in rows:
            identity = bytes(row.attester), bytes(row.uid)
            found = _NAMED.search(bytes(row.entry or b""))
            if found is None or found[1] != _ERASE or _identity(found) != identity:
                yield Finding(record_name(*identity), "erasure_unlogged", "the log has no erasure of the record")
