"""The worker: batches go out to the chain, and are final when the chain says so.

Only the chain's state moves a batch on: what EAS answers for its root at the newest block, and which block is final.
So it does not matter who sent a timestamp, what died after sending it, or which of several transactions was mined.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Engine, and_, or_, select, update
from tenacity import Retrying, retry_if_exception, sleep_using_event, stop_when_event_set, wait_random_exponential

from chartseal.attestation import Digest
from chartseal.chain.anchors.database import reading, writing
from chartseal.chain.anchors.periods import DAY
from chartseal.chain.anchors.queue import AnchorQueue
from chartseal.chain.anchors.tables import BATCH, FINAL, MINED, PENDING, SENT
from chartseal.chain.anchors.timestamps import Seen, Timestamps
from chartseal.chain.calls import Block, Receipt
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.rpc.node import Node
from chartseal.chain.sending.sender import Sender
from chartseal.errors import ChainError, NodeError, QueueError, RevertError, SendError

MOST_ROOTS = 100
"""That one transaction timestamps: about 3 million gas."""
LEASE = timedelta(minutes=20)
"""For how long a worker has what it took to send: longer than a sender waits for its transactions."""

_PATIENT_TRIES = 3
_LASTING = {"chain_wrong", "queue_domain"}


class Step(NamedTuple):
    """What one step did, in batches."""

    closed: int = 0
    sent: int = 0
    mined: int = 0
    final: int = 0
    undone: int = 0
    """Mined before, and then reorganised away."""


class Claimed(NamedTuple):
    """A batch that is this worker's to send."""

    number: int
    root: Digest
    tries: int
    """How often it was claimed before."""


class AnchorWorker:
    """Sends what a queue holds for one deployment; several may work on one queue."""

    def __init__(
        self,
        engine: Engine,
        node: Node,
        sender: Sender,
        deployment: Deployment,
        *,
        period: timedelta | None = DAY,
        lease: timedelta = LEASE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take the queue's database, the chain and who pays; `period` as `AnchorQueue.close` takes it."""
        self.queue = AnchorQueue(deployment.domain())
        self._engine = engine
        self._sender = sender
        self._timestamps = Timestamps(node, deployment)
        self._eas = Contract.load("eas").at(deployment.eas)
        self._period = period
        self._lease = lease
        self._clock = clock
        self._is_checked = False

    def step(self) -> Step:
        """Do what can be done now: close what is due, see what was mined, send what waits.

        Whatever is raised, nothing is lost; the next step goes on.

        Raises:
            NodeError, SendError, RevertError, DeploymentError: as the chain.
            QueueError: `queue_unavailable`.
        """
        if not self._is_checked:
            self._timestamps.check()
            self._is_checked = True
        closed = self._close()
        before = self._settle()
        claimed = self._claim()
        sent = self._send(claimed)
        after = self._settle() if claimed else Step()
        return Step(closed, sent, *(one + other for one, other in zip(before[2:], after[2:], strict=True)))

    def run(
        self,
        stop: threading.Event,
        *,
        every: timedelta = timedelta(seconds=15),
        told: Callable[[Step], None] = lambda _: None,
        failed: Callable[[ChainError], None] = lambda _: None,
    ) -> None:
        """Step until `stop` is set; faults that pass are told to `failed` and tried again, ever more slowly.

        Raises:
            ChainError: one that another try does not mend.
        """
        tries = Retrying(
            retry=retry_if_exception(_passes),
            wait=wait_random_exponential(multiplier=1, max=60),
            stop=stop_when_event_set(stop),
            sleep=sleep_using_event(stop),
            before_sleep=lambda state: failed(_error(state)),
            reraise=True,
        )
        while not stop.is_set():
            try:
                told(tries(self.step))
            except ChainError as error:
                if not (stop.is_set() and _passes(error)):
                    raise
            stop.wait(every.total_seconds())

    def _close(self) -> int:
        now = self._clock()
        with reading(self._engine) as connection:
            if not self.queue.is_due(connection, now=now, period=self._period):
                return 0
        with writing(self._engine) as connection:
            return len(self.queue.close(connection, now=now, period=self._period))

    # Seeing: sent -> mined -> final, or back

    def _settle(self) -> Step:
        with reading(self._engine) as connection:
            queue = self.queue.find(connection)
            columns = (BATCH.c.id, BATCH.c.root, BATCH.c.state, BATCH.c.block_number)
            open_ = select(*columns).where(BATCH.c.queue_id == queue, BATCH.c.state.in_((SENT, MINED)))
            rows = connection.execute(open_.order_by(BATCH.c.id)).all()
        if not rows:
            return Step()
        head, seen = self._timestamps.seen([Digest(row.root) for row in rows])
        counts = dict.fromkeys((MINED, FINAL, SENT), 0)
        with writing(self._engine) as connection:
            for row, each in zip(rows, seen, strict=True):
                change = self._change(row, each, head)
                unmoved = and_(BATCH.c.id == row.id, BATCH.c.state == row.state)
                if change and connection.execute(update(BATCH).where(unmoved).values(change)).rowcount:
                    counts[change["state"]] += change["state"] != row.state
        return Step(mined=counts[MINED], final=counts[FINAL], undone=counts[SENT])

    def _change(self, row: Any, seen: Seen, head: Block) -> dict[str, Any]:
        """The columns of a batch that change; none where all is as it was."""
        if seen.time:
            found = {"timestamp": seen.time, "block_number": head.number, "block_hash": head.hash}
            return {"state": FINAL if seen.is_final else MINED, **found}
        # A node that lags has not undone anything: only one that has come as far can say so.
        if row.state == MINED and head.number >= row.block_number:
            gone = {"timestamp": None, "block_number": None, "block_hash": None}
            return {"state": SENT, "lease_until": self._leased(), **gone}
        return {}

    # Sending: pending -> sent

    def _claim(self) -> list[Claimed]:
        """Batches that nobody else sends meanwhile; they are `sent` from now on, whatever dies."""
        with writing(self._engine) as connection:
            queue = self.queue.find(connection)
            free = or_(BATCH.c.state == PENDING, and_(BATCH.c.state == SENT, self._is_over(BATCH.c.lease_until)))
            waiting = (
                select(BATCH.c.id, BATCH.c.root, BATCH.c.tries)
                .where(BATCH.c.queue_id == queue, free)
                .order_by(BATCH.c.id)
            )
            rows = connection.execute(waiting.limit(MOST_ROOTS).with_for_update(skip_locked=True)).all()
            taken = {"state": SENT, "lease_until": self._leased(), "tries": BATCH.c.tries + 1}
            if rows:
                connection.execute(update(BATCH).where(BATCH.c.id.in_([row.id for row in rows])).values(taken))
        return [Claimed(row.id, Digest(row.root), row.tries) for row in rows]

    def _send(self, claimed: Sequence[Claimed]) -> int:
        """How many of the claimed had to be sent; some may wait in the node's pool, or be mined, already."""
        if not claimed:
            return 0
        try:
            missing = self._missing(claimed)
            return self._send_together(missing) if len(missing) > 1 else self._send_singly(missing)
        except (NodeError, SendError) as error:
            if error.code != "not_mined":  # nothing is on its way: the next step may try again
                self._release(claimed)
            raise

    def _send_together(self, missing: Sequence[Claimed]) -> int:
        try:
            self._note(missing, self._sender.send(self._eas.write("multiTimestamp", [each.root for each in missing])))
            return len(missing)
        except RevertError:
            return self._send_singly(self._missing(missing))  # others sent some of them meanwhile

    def _send_singly(self, missing: Sequence[Claimed]) -> int:
        sent, refused = 0, None
        for each in missing:
            try:
                self._note([each], self._sender.send(self._eas.write("timestamp", each.root)))
                sent += 1
            except RevertError as error:
                if error.name != "AlreadyTimestamped" and self._missing([each]):
                    refused = error
        if refused is not None:
            raise refused
        return sent

    def _missing(self, batches: Sequence[Claimed]) -> list[Claimed]:
        """Those without a timestamp, mined or (where the node tells) waiting in its pool.

        What stays in a pool is not waited for: after some tries it is sent again.
        """
        roots = [each.root for each in batches]
        known = zip(batches, self._timestamps.newest(roots), self._timestamps.pooled(roots), strict=True)
        return [each for each, at, soon in known if not at and not (soon and each.tries < _PATIENT_TRIES)]

    def _note(self, batches: Sequence[Claimed], receipt: Receipt) -> None:
        numbers = [each.number for each in batches]
        with writing(self._engine) as connection:
            connection.execute(update(BATCH).where(BATCH.c.id.in_(numbers)).values(tx_hash=receipt.tx_hash))

    def _release(self, batches: Sequence[Claimed]) -> None:
        numbers = [each.number for each in batches]
        free = and_(BATCH.c.id.in_(numbers), BATCH.c.state == SENT)
        with writing(self._engine) as connection:
            connection.execute(update(BATCH).where(free).values(lease_until=0))

    def _is_over(self, until: Any) -> Any:
        """A lease is over at its end; one that no right clock gave (it is twice as long) was over before it began."""
        longest = 2 * int(max(self._lease, LEASE).total_seconds() * 1000)
        return or_(until <= self._moment(), until > self._moment() + longest)

    def _moment(self) -> int:
        return int(time.time() * 1000)

    def _leased(self) -> int:
        return self._moment() + int(self._lease.total_seconds() * 1000)


def _passes(error: BaseException) -> bool:
    return isinstance(error, NodeError | SendError | QueueError) and error.code not in _LASTING


def _error(state: Any) -> ChainError:
    error = state.outcome.exception()
    assert isinstance(error, ChainError)  # noqa: S101 (nothing else is retried)
    return error
