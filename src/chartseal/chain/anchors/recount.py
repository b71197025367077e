"""Recount: from the sealed records themselves and from the chain, whether each is in exactly one anchor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from chartseal import _core
from chartseal.attestation import Digest
from chartseal.chain.anchors.database import storing
from chartseal.chain.anchors.leaves import AnchorTree, announcements_leaf, seal_leaf
from chartseal.chain.anchors.pages import page_of
from chartseal.chain.anchors.queue import AnchorQueue
from chartseal.chain.anchors.tables import ANNOUNCEMENTS, BATCH, FINAL, LEAF
from chartseal.chain.anchors.timestamps import Timestamps
from chartseal.chain.deployment import Deployment
from chartseal.chain.rpc.node import Node
from chartseal.sealing import SealedRecord

_CHUNK = 500


class Recount(NamedTuple):
    """What was counted. `is_whole` is what one wants to see."""

    records: int
    """Seals that were given, each once."""
    anchored: int
    """Of these, under a root that the chain has timestamped for good."""
    waiting: int
    """In the queue, under no final anchor yet."""
    missing: int
    """Not in the queue."""
    doubled: int
    """In more than one place: two anchors would hold them."""
    anchors: int
    """Roots in the queue."""
    wrong: int
    """Roots that their leaves or pages do not give, or that the chain does not know as the queue says."""

    @property
    def is_whole(self) -> bool:
        """Every record is in exactly one final anchor, and every anchor is as it must be."""
        return self.records == self.anchored and not (self.doubled or self.wrong)


def recount(connection: Connection, records: Iterable[SealedRecord], node: Node, deployment: Deployment) -> Recount:
    """Count records of files against the queue and the chain; records of other deployments are missing here.

    Raises:
        QueueError: `queue_unavailable`.
        NodeError, DeploymentError: as the chain.
    """
    with storing():
        queue = AnchorQueue(deployment.domain()).find(connection)
        known = select(BATCH.c.id, BATCH.c.root, BATCH.c.state, BATCH.c.timestamp).where(BATCH.c.queue_id == queue)
        batches = connection.execute(known.order_by(BATCH.c.id)).all()
        timestamps = Timestamps(node, deployment)
        timestamps.check()
        _, seen = timestamps.seen([Digest(row.root) for row in batches])
        good, wrong = set(), 0
        for row, found in zip(batches, seen, strict=True):
            is_right = _is_made_of_its_leaves(connection, row)
            is_known = found.time == row.timestamp if row.state == FINAL else True
            wrong += not (is_right and is_known)
            if is_right and is_known and found.is_final:
                good.add(row.id)
        counts = _count(connection, queue, records, good)
        return Recount(*counts, len(batches), wrong)


def _is_made_of_its_leaves(connection: Connection, batch: Any) -> bool:
    rows = connection.execute(select(LEAF.c.leaf, LEAF.c.kind).where(LEAF.c.batch_id == batch.id)).all()
    page = page_of(connection, batch.id)
    stated = [row.leaf for row in rows if row.kind == ANNOUNCEMENTS]
    if stated != ([announcements_leaf(page)] if page else []) or not rows:
        return False
    root: bytes = batch.root
    return AnchorTree([row.leaf for row in rows]).root == root


def _count(
    connection: Connection, queue: int | None, records: Iterable[SealedRecord], good: set[int]
) -> tuple[int, int, int, int, int]:
    seen: set[bytes] = set()
    total: Counter[str] = Counter()
    fresh = _once(records, seen)
    while chunk := list(islice(fresh, _CHUNK)):
        leaves = [seal_leaf(record.uid, _core.keccak256(record.package.signature)) for record in chunk]
        places: dict[bytes, list[Any]] = {}
        for row in connection.execute(select(LEAF).where(LEAF.c.leaf.in_(leaves))):
            places.setdefault(row.leaf, []).append(row)
        for leaf in leaves:
            total.update(_judged(places.get(leaf, []), queue, good))
    return len(seen), total["anchored"], total["waiting"], total["missing"], total["doubled"]


def _once(records: Iterable[SealedRecord], seen: set[bytes]) -> Iterator[SealedRecord]:
    for record in records:
        mark = record.package.signature + record.uid
        if mark not in seen:
            seen.add(mark)
            yield record


def _judged(places: Sequence[Any], queue: int | None, good: set[int]) -> Iterator[str]:
    own = [row for row in places if row.queue_id == queue]
    if len(places) > 1:
        yield "doubled"
    if not own:
        yield "missing"
    else:
        yield "anchored" if own[0].batch_id in good else "waiting"
