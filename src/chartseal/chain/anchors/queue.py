"""The queue: what is to be anchored waits in it, and a closed period's leaves become one batch.

Every method takes the caller's connection and takes part in its transaction; none commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Table, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from chartseal import _core
from chartseal.attestation import Digest, Domain, UnverifiedPackage, recover_offchain
from chartseal.chain.anchors.database import storing
from chartseal.chain.anchors.leaves import ENTRY, AnchorTree, announcements_leaf, seal_leaf, statement_leaf
from chartseal.chain.anchors.periods import DAY, Due
from chartseal.chain.anchors.tables import (
    ANNOUNCEMENT,
    ANNOUNCEMENTS,
    BATCH,
    FINAL,
    LEAF,
    MINED,
    PENDING,
    QUEUE,
    SEAL,
    SENT,
    STATEMENT,
    STATEMENT_TEXT,
)
from chartseal.errors import DomainError, QueueError
from chartseal.sealing import SealedRecord

MOST_LEAVES = 100_000
"""Of a batch; more make further batches."""
LARGEST_STATEMENT = 65_536
"""Bytes of a statement, and of its signature."""

_CHUNK = 1_000
_BELOW = 2**63


class Status(NamedTuple):
    """How much is in which state: leaves that no batch has yet, and batches."""

    waiting: int
    announcements: int
    """Waiting too."""
    pending: int
    sent: int
    mined: int
    final: int


class Sealed(Protocol):
    """A `SealedRecord`, or what a vault knows of one."""

    @property
    def package(self) -> UnverifiedPackage:
        """Its seal."""


class AnchorQueue:
    """What is to be anchored in one deployment of EAS. A leaf is in it once, however often it is added."""

    def __init__(self, domain: Domain) -> None:
        """Take the domain of the seals.

        Raises:
            QueueError: `queue_domain`; a chain id that no database keeps.
        """
        if domain.chain_id >= _BELOW or len(domain.version) > 20:
            raise QueueError("a chain id is under 2^63, a version short", "queue_domain")
        self.domain = domain
        self._row: Mapping[str, Any] = {
            "chain_id": domain.chain_id,
            "contract": domain.contract,
            "version": domain.version,
        }

    def add(self, connection: Connection, records: Iterable[SealedRecord]) -> int:
        """Add records' seals, and their announcements where they have one; returns how many seals were new.

        Raises:
            QueueError, SignatureError: as `add_seals`.
        """
        new = 0
        for chunk in _chunks(records):
            new += self.add_seals(connection, chunk)
            entries = [(each.announcement, each.package.message.time) for each in chunk]
            self.add_announcements(connection, [(entry, time) for entry, time in entries if entry is not None])
        return new

    def add_seals(self, connection: Connection, records: Iterable[Sealed]) -> int:
        """Add records' seals; returns how many were new.

        Raises:
            QueueError: `seal_other_domain`, `seal_time`, `queue_unavailable`.
            SignatureError: a seal is not signed as it says; nobody could use its anchor.
        """
        queue = self._id(connection)
        rows = ({"queue_id": queue, "kind": SEAL, **self._seal(record)} for record in records)
        return _insert(connection, LEAF, rows)

    def _seal(self, record: Sealed) -> dict[str, Any]:
        package = record.package
        if package.domain != self.domain:
            raise QueueError("the seal is for another chain or contract than the queue", "seal_other_domain")
        if package.message.time >= _BELOW:
            raise QueueError("the seal's time is no date", "seal_time")
        seal = recover_offchain(package)
        signature_hash = _core.keccak256(seal.signature)
        return {
            "leaf": seal_leaf(seal.uid, signature_hash),
            "time": package.message.time,
            "attester": seal.attester,
            "uid": seal.uid,
            "signature_hash": signature_hash,
        }

    def add_announcements(self, connection: Connection, announcements: Iterable[tuple[bytes, int]]) -> int:
        """Add announcements (34 bytes, and the time of the seal, Unix seconds); returns how many were new.

        Raises:
            QueueError: `announcement_malformed`, `queue_unavailable`.
        """
        queue = self._id(connection)
        return _insert(connection, ANNOUNCEMENT, (_announcement(queue, *each) for each in announcements))

    def add_statement(self, connection: Connection, statement: bytes, signature: bytes) -> int:
        """Add an audit statement of a period that has ended; returns 1 if it is new, else 0.

        Raises:
            QueueError: `statement_size`, `queue_unavailable`.
        """
        if not (0 < len(statement) <= LARGEST_STATEMENT and 0 < len(signature) <= LARGEST_STATEMENT):
            raise QueueError(f"a statement and its signature have 1 to {LARGEST_STATEMENT} bytes", "statement_size")
        queue, leaf = self._id(connection), statement_leaf(statement, signature)
        new = _insert(connection, LEAF, [{"queue_id": queue, "kind": STATEMENT, "leaf": leaf, "time": 0}])
        if new:
            of_leaf = select(LEAF.c.id).where(LEAF.c.queue_id == queue, LEAF.c.leaf == leaf).scalar_subquery()
            with storing():
                row = {"leaf_id": of_leaf, "statement": statement, "signature": signature}
                connection.execute(STATEMENT_TEXT.insert().values(row))
        return new

    def is_due(self, connection: Connection, *, now: datetime, period: timedelta | None = DAY) -> bool:
        """Whether `close` would make a batch.

        Raises:
            QueueError: `queue_unavailable`.
        """
        due = Due(now, period)
        with storing():
            row = connection.execute(select(QUEUE.c.id, QUEUE.c.closed_at).where(*self._mine())).one_or_none()
            return row is not None and due.may_follow(row.closed_at) and _waits(connection, row.id, due)

    def close(self, connection: Connection, *, now: datetime, period: timedelta | None = DAY) -> list[Digest]:
        """Put what waits of ended periods into a batch; returns its root, or nothing where nothing waits.

        Of a day's seals, whose time is the start of the day, the batch is made after the day. What came late goes into
        another one, at most one an hour. Without a period all that waits is taken at once. More than MOST_LEAVES make
        several batches.

        Raises:
            QueueError: `queue_unavailable`.
        """
        due = Due(now, period)
        with storing():
            queue, closed_at = self._locked(connection)
            if not due.may_follow(closed_at):
                return []
            roots: list[Digest] = []
            while _waits(connection, queue, due):
                root = self._batch(connection, queue, due)
                if root is None:  # another worker has the rest
                    break
                roots.append(root)
            if roots:
                closed = update(QUEUE).where(QUEUE.c.id == queue).values(closed_at=due.seconds)
                connection.execute(closed)
            return roots

    def _batch(self, connection: Connection, queue: int, due: Due) -> Digest | None:
        leaves = _take(connection, LEAF, LEAF.c.leaf, queue, due)
        entries = _take(connection, ANNOUNCEMENT, ANNOUNCEMENT.c.entry, queue, due)
        page = b"".join(sorted(entry for _, entry in entries))
        values = [leaf for _, leaf in leaves] + ([announcements_leaf(page)] if page else [])
        if not values:
            return None
        root = AnchorTree(values).root
        state = {"state": PENDING, "tries": 0, "lease_until": 0}
        made = {"queue_id": queue, "root": root, "leaves": len(values), "closed_at": due.seconds, **state}
        batch = connection.execute(BATCH.insert().values(made).returning(BATCH.c.id)).scalar_one()
        if page:
            row = {"queue_id": queue, "kind": ANNOUNCEMENTS, "leaf": values[-1], "time": 0, "batch_id": batch}
            connection.execute(LEAF.insert().values(row))
        _assign(connection, LEAF, [number for number, _ in leaves], batch)
        _assign(connection, ANNOUNCEMENT, [number for number, _ in entries], batch)
        return root

    def status(self, connection: Connection) -> Status:
        """How much is in which state.

        Raises:
            QueueError: `queue_unavailable`.
        """
        with storing():
            queue = connection.execute(select(QUEUE.c.id).where(*self._mine())).scalar()
            waiting = [
                connection.execute(
                    select(func.count()).select_from(table).where(table.c.queue_id == queue, table.c.batch_id.is_(None))
                ).scalar_one()
                for table in (LEAF, ANNOUNCEMENT)
            ]
            counted = select(BATCH.c.state, func.count()).where(BATCH.c.queue_id == queue).group_by(BATCH.c.state)
            states = {row[0]: row[1] for row in connection.execute(counted)}
            return Status(*waiting, *(states.get(state, 0) for state in (PENDING, SENT, MINED, FINAL)))

    def find(self, connection: Connection) -> int | None:
        """The queue's row, if anything was ever added."""
        with storing():
            found: int | None = connection.execute(select(QUEUE.c.id).where(*self._mine())).scalar()
            return found

    def _mine(self) -> list[Any]:
        return [QUEUE.c[name] == value for name, value in self._row.items()]

    def _id(self, connection: Connection) -> int:
        found = self.find(connection)
        if found is None:
            _insert(connection, QUEUE, [{**self._row, "closed_at": 0}])
            found = self.find(connection)
            assert found is not None  # noqa: S101 (it was just made, by us or by another)
        return found

    def _locked(self, connection: Connection) -> tuple[int, int]:
        """The queue's row, kept from all other workers until the transaction ends: a write locks it in any database."""
        queue = self._id(connection)
        touch = update(QUEUE).where(QUEUE.c.id == queue).values(closed_at=QUEUE.c.closed_at)
        row = connection.execute(touch.returning(QUEUE.c.id, QUEUE.c.closed_at)).one()
        return int(row.id), int(row.closed_at)


def queues(connection: Connection) -> list[AnchorQueue]:
    """All queues of a database.

    Raises:
        QueueError: `queue_unavailable`, `queue_damaged`.
    """
    with storing():
        rows = connection.execute(select(QUEUE).order_by(QUEUE.c.id)).all()
    try:
        return [AnchorQueue(Domain(row.version, row.chain_id, row.contract)) for row in rows]
    except (TypeError, DomainError):  # SQLite keeps anything in any column
        raise QueueError("a row holds what its columns cannot", "queue_damaged", QUEUE.name) from None


def _announcement(queue: int, entry: bytes, time: int) -> dict[str, Any]:
    if len(entry) != ENTRY or not 0 <= time < _BELOW:
        raise QueueError(f"an announcement has {ENTRY} bytes", "announcement_malformed")
    return {"queue_id": queue, "entry": entry, "time": time}


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    return iter(lambda: list(islice(rest, _CHUNK)), [])


def _insert(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> int:
    """How many of the rows were not there yet."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).on_conflict_do_nothing().returning(table.c.id)
    new = 0
    for chunk in _chunks(rows):
        # In one order, whoever adds: two that waited for each other's rows would wait for ever.
        ordered = sorted(chunk, key=lambda row: bytes(row.get("leaf", row.get("entry", b""))))
        with storing():
            new += len(connection.execute(statement, ordered).all())
    return new


def _conditions(table: Table, queue: int, due: Due) -> list[Any]:
    return [table.c.queue_id == queue, table.c.batch_id.is_(None), table.c.time < due.before]


def _waits(connection: Connection, queue: int, due: Due) -> bool:
    found = [select(table.c.id).where(*_conditions(table, queue, due)).limit(1) for table in (LEAF, ANNOUNCEMENT)]
    return bool(connection.execute(select(or_(*(each.exists() for each in found)))).scalar())


def _take(connection: Connection, table: Table, column: Any, queue: int, due: Due) -> list[tuple[int, bytes]]:
    """(id, value) of what a batch takes, which nobody else can take until the transaction ends."""
    waiting = select(table.c.id, column).where(*_conditions(table, queue, due)).order_by(table.c.id)
    rows = connection.execute(waiting.limit(MOST_LEAVES).with_for_update(skip_locked=True))
    return [(number, value) for number, value in rows]


def _assign(connection: Connection, table: Table, numbers: Sequence[int], batch: int) -> None:
    for chunk in _chunks(numbers):
        connection.execute(update(table).where(table.c.id.in_(chunk)).values(batch_id=batch))
