"""Following a chain: read ahead in one thread, check and store in another, go back where the chain did."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from chartseal.chain.calls import Block
from chartseal.chain.index.bodies import read_body
from chartseal.chain.index.pieces import Mark, Piece, Span, build
from chartseal.chain.index.reader import Reader
from chartseal.chain.index.source import Source
from chartseal.chain.index.store import Store
from chartseal.errors import ChainError, IndexingError, NodeError

_MOVING = {"chain_moved", "node_lags", "block_unknown", "logs_missing", "logs_inconsistent"}
"""Codes of answers that do not fit one another: another try may meet a chain that stands still."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where one round of following ended."""

    head: int
    """The newest block that is indexed."""
    behind: int
    """How many blocks the index is ahead of a node that lags; else 0."""
    undone: int
    """Blocks that a reorganisation took back."""
    events: int


class Follower:
    """Brings one index to its chain's newest block, again and again."""

    def __init__(
        self,
        source: Source,
        store: Store,
        *,
        clock: Callable[[], float] = time.time,
        thorough: bool = False,
        pause: float = 0.1,
        attempts: int = 6,
    ) -> None:
        """Take the chain and the index; `attempts` counts tries of one round, `pause` (s) is the shortest between."""
        self._source = source
        self._store = store
        self._clock = clock
        self._pause, self._attempts = pause, attempts
        self._reader = Reader(source, store.deployment, thorough=thorough)

    def sync(self, stopping: threading.Event | None = None) -> Progress:
        """Index up to the newest block, or as far as it got when `stopping` was set.

        Raises:
            NodeError: the node fails, or its answers do not fit one another however often they are asked for.
                `logs_missing`: its logs lack events that its receipts or its state have; another node may have them.
            IndexingError: `index_reorganised` where final blocks have changed: rebuild, or ask another node;
                `index_other_chain`; others of the database.
        """
        if self._source.chain_id != self._store.deployment.chain_id:
            raise NodeError("the node is of another chain than the deployment", "chain_wrong")
        for attempt in Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=wait_random_exponential(multiplier=self._pause, max=5),
            retry=retry_if_exception(lambda exc: isinstance(exc, NodeError) and exc.code in _MOVING),
            reraise=True,
        ):
            with attempt:
                return self._sync(stopping or threading.Event())
        raise AssertionError  # reraise leaves no other way out

    def run(self, stopping: threading.Event, interval: float, report: Callable[[Progress | ChainError], None]) -> None:
        """Follow until `stopping`; every round's end is reported, a node's failure too, and tried again.

        Raises:
            IndexingError: as `sync`.
            NodeError: `chain_wrong`.
        """
        while not stopping.is_set():
            try:
                report(self.sync(stopping))
            except NodeError as error:
                if error.code == "chain_wrong":
                    raise
                report(error)
            stopping.wait(interval)

    def _sync(self, stopping: threading.Event) -> Progress:
        asked_at = int(self._clock())
        head = self._source.head()
        mark = self._store.mark() or self._begin()
        if head.number < mark.number:
            # Behind us, or on a branch that is shorter: nothing is taken back on the word of a node that lags.
            return Progress(mark.number, mark.number - head.number, 0, 0)
        start = self._fork_point(mark)
        self._reader.known = self._store.schema_uids(start.number)
        events = 0
        for span in _ahead(self._reader.spans(start, head)):
            piece = build(span)
            self._explain(piece)
            reached = piece.last.number == head.number
            self._store.apply(piece, synced_at=asked_at if reached else None)
            self._reader.known |= frozenset(piece.schemas)
            events += len(span.logs)
            if stopping.is_set():
                return Progress(piece.last.number, 0, mark.number - start.number, events)
        self._finish(head, asked_at)
        return Progress(head.number, 0, mark.number - start.number, events)

    def _begin(self) -> Mark:
        first = self._store.deployment.from_block
        return self._store.begin(self._source.headers([max(0, first - 1)])[0])

    def _fork_point(self, mark: Mark) -> Mark:
        """The newest indexed block that the chain still has."""
        if self._hash_of(mark.number) == mark.hash:
            return mark
        kept = self._store.kept()
        headers = self._source.headers([each.number for each in kept])
        for each, header in zip(kept, headers, strict=True):
            if header.hash == each.hash:
                return each
        raise IndexingError(
            "the chain was reorganised deeper than its finality: rebuild the index, or ask another node",
            "index_reorganised",
        )

    def _hash_of(self, number: int) -> bytes:
        return self._source.headers([number])[0].hash

    def _explain(self, piece: Piece) -> None:
        """Every revocation is of an attestation that is indexed, by who made it, or of one from before the index."""
        known = {**self._store.attesters(piece.revoked().keys(), piece.previous.number), **piece.attested()}
        missing = [uid for uid in piece.revoked() if uid not in known]
        if any(known[uid] != who for uid, who in piece.revoked().items() if uid in known):
            raise NodeError("a revocation is by another than who attested", "logs_inconsistent")
        if not missing:
            return
        base_time = self._store.base_time()
        for data in self._source.bodies(missing):
            body = read_body(data)
            if body is None:
                raise NodeError("the node does not have an attestation that its logs tell of", "node_lags")
            if body.time > base_time:
                raise NodeError("an attestation was revoked whose making the node's logs lack", "logs_missing")

    def _finish(self, head: Block, asked_at: int) -> None:
        # Strictly before: a chain with several blocks a second may have revoked after `head` at the same time.
        expected = self._store.expected(head.timestamp)
        if not expected:
            self._store.synced(asked_at)
            return
        bodies = [read_body(each) for each in self._source.bodies([each.uid for each in expected])]
        if any(body is not None and 0 < body.revocation_time < head.timestamp for body in bodies):
            raise NodeError("the node's logs lack revocations that its state has", "logs_missing")
        self._store.not_expected([each.uid for each in expected])
        self._store.synced(asked_at)


def _ahead(spans: Iterator[Span]) -> Iterator[Span]:
    """The spans, each being read while the one before it is stored."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="index-reader") as pool:
        following = pool.submit(next, spans, None)
        while (span := following.result()) is not None:
            following = pool.submit(next, spans, None)
            yield span
