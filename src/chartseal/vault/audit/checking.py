"""Checking a log: whatever was changed, taken out, put in or cut off is found, and the first place is named."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import ColumnClause, Connection, func, literal_column, select

from chartseal.attestation import Address
from chartseal.chain.anchors.tables import BATCH, FINAL, LEAF, STATEMENT_TEXT
from chartseal.errors import AuditError
from chartseal.vault.audit.entry import entry_hash, first_hash, has_detail, is_filed, outline, seconds
from chartseal.vault.audit.log import Head, log_id
from chartseal.vault.audit.statements import SignedStatement, Statement, place, read_statements
from chartseal.vault.database import bytes_of, storing
from chartseal.vault.tables import AUDIT, DETAIL, HEAD, META

_CHUNK = 5_000
_LEAST = -(2**63)
# Without their types: what a driver gives is what is hashed, and going through it again would double a row's cost.
_COLUMNS: list[ColumnClause[Any]] = [literal_column(name) for name in ("sequence", "entry", "hash", "at", "patient")]


class Checked(NamedTuple):
    """What a whole log holds."""

    entries: int
    head: bytes
    """Hash of the last."""
    details: int
    statements: int
    providers: tuple[Address, ...]
    """Whose keys signed them."""
    unstated: int
    """Entries that no statement covers yet."""
    late: int
    """Entries of a time in a period that had been closed before: a clock was set back, or somebody dated them back."""
    unanchored: int
    """Statements that no final anchor holds yet."""


def verify_log(
    connection: Connection,
    *,
    now: datetime,
    providers: Collection[Address] | None = None,
    known: Iterable[SignedStatement] = (),
    anchored: bool = False,
) -> Checked:
    """Check a whole log against itself, its statements, the anchor queue beside it, and statements `known` elsewhere.

    With `anchored` each statement must be in the queue. Whether an anchor is on the chain is for `recount` to say.
    Other writers may go on meanwhile: what they add is not looked at.

    Raises:
        AuditError: the first fault, named by its entry or period: `entry_missing`, `entry_altered`, `entry_misfiled`,
            `log_cut`, `head_missing`, `head_malformed`, `head_contradicts`, `detail_missing`, `detail_altered`,
            `detail_unknown`, `statement_missing`, `statement_malformed`, `statement_unsigned`, `statement_foreign`,
            `statement_misfiled`, `statement_contradicts`, `statement_forked`, `statement_unanchored`, `log_missing`.
        VaultError: `vault_unavailable`.
        VaultDamageError: `vault_damaged`; a row beside the entries, of its table.
    """
    log = log_id(connection)
    signed = read_statements(connection)  # before the head: no statement is newer than what is walked
    stated = _in_order(log, {period: each.read() for period, each in signed.items()}, providers)
    queued = _queued(connection)
    _require_same(log, stated, [*(each for each, _ in queued), *known])
    final = {each.statement for each, is_final in queued if is_final}
    if anchored:
        _require_queued(stated, {each.statement for each, _ in queued})
    head, newest = _ends(connection, log)
    walk = _Walk(log, stated, seconds(now))
    for rows in _chunks(connection, newest):
        walk.through(rows, _details(connection, rows))
    walk.finish(head)
    _require_no_stray_detail(connection)
    covered = stated[-1].sequence if stated else 0
    return Checked(
        walk.sequence,
        walk.hash,
        walk.details,
        len(stated),
        tuple(sorted({each.provider for each in stated})),
        walk.sequence - covered,
        walk.late,
        sum(each.statement not in final for each in signed.values()),
    )


class _Walk:
    """From the first entry to the last."""

    def __init__(self, log: bytes, stated: Sequence[Statement], now: int) -> None:
        self.sequence, self.hash, self.details, self.late = 0, first_hash(log), 0, 0
        self._now, self._closed = now, 0
        self._ahead = iter(stated)
        self._next = next(self._ahead, None)
        self._meet()

    def through(self, rows: Sequence[Any], details: Sequence[Any]) -> None:
        kept: dict[int, tuple[bytes, int]] = {}
        for sequence, entry, stated_hash, at, patient in rows:
            if sequence != self.sequence + 1:
                raise _fault("is gone", "entry_missing", self.sequence + 1)
            if not isinstance(entry, bytes):  # in a damaged row of SQLite anything may stand
                raise _fault("is no bytes", "entry_altered", sequence)
            self.hash = entry_hash(self.hash, entry)
            if self.hash != stated_hash:
                raise _fault("does not follow from the one before it", "entry_altered", sequence)
            self.sequence = sequence
            if not isinstance(patient, bytes | None) or not is_filed(entry, sequence, at, patient):
                raise _fault("would be found under another number, time or patient", "entry_misfiled", sequence)
            if has_detail(entry):
                found = outline(entry)
                kept[sequence] = found.detail or b"", found.keep
            self.late += at < self._closed
            if self._next is not None and self._next.sequence <= sequence:
                self._meet()
        self._check_details(kept, details)

    def _meet(self) -> None:
        """Compare with the statements that end here."""
        while self._next is not None and self._next.sequence <= self.sequence:
            if self._next.head != self.hash:
                detail = f"the statement contradicts the log at entry {self._next.sequence}"
                raise AuditError(detail, "statement_contradicts", place(self._next))
            self._closed = self._next.end
            self._next = next(self._ahead, None)

    def _check_details(self, kept: dict[int, tuple[bytes, int]], details: Sequence[Any]) -> None:
        for sequence, data, keep_until in details:
            mark = kept.pop(sequence, None)
            if mark is None:
                raise _fault("has a detail that it does not name", "detail_unknown", sequence)
            if not isinstance(data, bytes) or mark != (hashlib.sha256(data).digest(), keep_until):
                raise _fault("has another detail than it names", "detail_altered", sequence)
        self.details += len(details)
        gone = (sequence for sequence, (_, keep) in kept.items() if keep > self._now)
        if (first := next(gone, None)) is not None:
            raise _fault("lacks its detail before its term", "detail_missing", first)

    def finish(self, head: Head) -> None:
        """Compare the end with the head and with what is stated."""
        if self.sequence < head.sequence or self._next is not None:
            raise _fault("is gone, and all after it", "log_cut", self.sequence + 1)
        if head.sequence < self.sequence:
            raise _fault("stands after the head", "head_contradicts", head.sequence + 1)
        if head.hash != self.hash:
            raise AuditError("the head is not the last entry's", "head_contradicts", "head")


def _fault(detail: str, code: str, sequence: int) -> AuditError:
    return AuditError(detail, code, f"entry {sequence}")


def _in_order(log: bytes, found: Mapping[int, Statement], providers: Collection[Address] | None) -> Sequence[Statement]:
    """Statements of this log by a provider that is expected, one for each period, without a gap."""
    for period, each in found.items():
        if each.log != log or (providers is not None and each.provider not in providers):
            raise AuditError("of another log or provider", "statement_foreign", place(each))
        if each.period != period:
            raise AuditError("stands under another period", "statement_misfiled", place(each))
    stated = list(found.values())
    for earlier, later in pairwise(stated):
        if later.period != earlier.end:
            raise AuditError("no statement was made, or it is gone", "statement_missing", f"period {earlier.end}")
        if later.sequence < earlier.sequence:
            raise AuditError("ends before the one before it", "statement_contradicts", place(later))
    return stated


def _queued(connection: Connection) -> list[tuple[SignedStatement, bool]]:
    """Statements in the anchor queue, and whether their anchor is final."""
    columns = select(STATEMENT_TEXT.c.statement, STATEMENT_TEXT.c.signature, BATCH.c.state)
    joined = columns.join(LEAF, LEAF.c.id == STATEMENT_TEXT.c.leaf_id).outerjoin(BATCH, BATCH.c.id == LEAF.c.batch_id)
    with storing():
        rows = connection.execute(joined.order_by(STATEMENT_TEXT.c.leaf_id)).all()
    return [
        (SignedStatement(*(bytes_of(each, STATEMENT_TEXT) for each in row[:2])), row.state == FINAL) for row in rows
    ]


def _require_same(log: bytes, stated: Sequence[Statement], others: Iterable[SignedStatement]) -> None:
    """Two statements for one period are two histories; one that only others have was taken out here."""
    ours = {each.period: each for each in stated}
    for signed in others:
        other = signed.read()
        if other.log != log:
            raise AuditError("of another log", "statement_foreign", place(other))
        if other.period not in ours:
            raise AuditError("the log lacks a statement that was made", "statement_missing", place(other))
        if ours[other.period] != other:
            raise AuditError("two statements were made", "statement_forked", place(other))


def _require_queued(stated: Sequence[Statement], queued: Collection[bytes]) -> None:
    for each in stated:
        if each.to_bytes() not in queued:
            raise AuditError("the statement is in no anchor", "statement_unanchored", place(each))


def _ends(connection: Connection, log: bytes) -> tuple[Head, int]:
    """The head, and the number of the newest entry, at one moment."""
    newest = select(func.coalesce(func.max(AUDIT.c.sequence), 0)).scalar_subquery()
    head = select(META.c.value).where(META.c.name == HEAD).scalar_subquery()
    with storing():
        found = connection.execute(select(head.label("head"), newest.label("newest"))).one()
    if found.head is not None:
        return Head.from_bytes(found.head), found.newest
    if found.newest:
        raise AuditError("there are entries, but no head", "head_missing", "head")
    return Head(0, first_hash(log)), 0


def _chunks(connection: Connection, newest: int) -> Iterator[Sequence[Any]]:
    columns = select(*_COLUMNS).select_from(AUDIT)
    last = _LEAST
    while last < newest:
        wanted = columns.where(AUDIT.c.sequence > last, AUDIT.c.sequence <= newest)
        with storing():
            rows = connection.execute(wanted.order_by(AUDIT.c.sequence).limit(_CHUNK)).all()
        if not rows:
            return
        yield rows
        last = rows[-1].sequence


def _details(connection: Connection, rows: Sequence[Any]) -> Sequence[Any]:
    columns = select(DETAIL.c.sequence, DETAIL.c.data, DETAIL.c.keep_until)
    within = columns.where(DETAIL.c.sequence.between(rows[0].sequence, rows[-1].sequence))
    with storing():
        return connection.execute(within.order_by(DETAIL.c.sequence)).all()


def _require_no_stray_detail(connection: Connection) -> None:
    """Each detail stands beside an entry."""
    without = select(DETAIL.c.sequence).outerjoin(AUDIT, AUDIT.c.sequence == DETAIL.c.sequence)
    with storing():
        found = connection.execute(without.where(AUDIT.c.sequence.is_(None)).limit(1)).scalar()
    if found is not None:
        raise _fault("is gone, its detail is not", "detail_unknown", found)
