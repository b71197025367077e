"""Reading a chain forward, span by span, each one linked to the block before it.

What is final is read by ranges of numbers; what is not, block by block: headers that link to one another, events by
block hash, and where a header's bloom says that EAS may have spoken, the receipts beside them. A provider that loses
events cannot hide them there. `thorough` reads the whole chain so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from chartseal.attestation import ZERO_DIGEST, Digest
from chartseal.chain.calls import Block, Log
from chartseal.chain.deployment import Deployment
from chartseal.chain.index.bodies import SchemaRow
from chartseal.chain.index.pieces import Mark, Span, attested_schemas, attested_uids, check_form
from chartseal.chain.index.source import Source, wanted
from chartseal.chain.rpc.logs import RangeSize
from chartseal.errors import NodeError

_NEAR = 8
"""Blocks that are read one by one even where all are final: those that a lagging node may not have."""
_CHUNK = 64
_BATCH = 500
"""Bodies, headers or schemas in one request."""
_AT_ONCE = 3
_FIRST_RANGE = 16
"""Blocks; it grows at once where the provider lets it."""
_EVENTS = 1_000
"""Events of a span, blocks being whole: storing one overlaps reading the next."""
_TOO_MANY = {"logs_too_many", "node_oversized", "node_timeout"}
"""Answers to a range that a smaller one may not meet."""


class Reader:
    """Reads one deployment's events; keeps what it learnt about the provider's limits and about schemas."""

    def __init__(self, source: Source, deployment: Deployment, *, thorough: bool = False) -> None:
        """Take where to read, and whether every block is looked at."""
        self._source = source
        self._wanted = wanted(deployment.eas)
        self._near = max(deployment.finality, _NEAR)
        self._thorough = thorough
        self._size = RangeSize(_FIRST_RANGE)
        self.known: frozenset[Digest] = frozenset()
        """Schemas whose text need not be asked for; the follower tells which are stored."""

    def spans(self, after: Mark, head: Block) -> Iterator[Span]:
        """From the block after that one up to `head`.

        Raises:
            NodeError: `chain_moved` where the chain is no longer the one that `after` or `head` stands on.
        """
        far = after.number if self._thorough else head.number - self._near
        for span in self._far_spans(after, far):
            yield span
            after = span.mark
        while after.number < head.number:
            span = self._near_span(after, min(after.number + _CHUNK, head.number))
            yield span
            after = span.mark
        if after != Mark(head.number, head.hash):
            raise NodeError("the chain moved while it was read", "chain_moved")

    def _far_spans(self, after: Mark, far: int) -> Iterator[Span]:
        """Several at a time are asked for, so that the node works on some while others are read."""
        with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="index-bodies") as pool:
            waiting: deque[Future[Span]] = deque()
            parts = self._parts(after.number + 1, far)
            try:
                for first, last, logs in parts:
                    waiting.append(pool.submit(self._far_span, first, last, logs))
                    if len(waiting) > _AT_ONCE:
                        yield (span := self._linked(after, waiting.popleft().result()))
                        after = span.mark
                while waiting:
                    yield (span := self._linked(after, waiting.popleft().result()))
                    after = span.mark
            finally:
                for each in waiting:
                    each.cancel()

    def _linked(self, after: Mark, span: Span) -> Span:
        header = span.headers[after.number + 1]
        if header.parent != after.hash:
            raise NodeError("the chain moved while it was read", "chain_moved")
        return replace(span, previous=after)

    def _parts(self, first: int, far: int) -> Iterator[tuple[int, int, list[Log]]]:
        """Blocks from first to last and their events, each as much as one span takes, blocks being whole."""
        while first <= far:
            logs, end = self._range(first, far)
            begin = 0
            for at in range(1, len(logs)):
                if at - begin >= _EVENTS and logs[at].block_number != logs[at - 1].block_number:
                    yield first, logs[at - 1].block_number, logs[begin:at]
                    begin, first = at, logs[at - 1].block_number + 1
            yield first, end, logs[begin:]
            first = end + 1

    def _range(self, first: int, far: int) -> tuple[list[Log], int]:
        """All events of as many blocks as the provider gives at once."""
        while True:
            last = min(far, first + self._size.blocks - 1)
            try:
                logs = self._source.range_logs(first, last)
            except NodeError as error:
                if error.code not in _TOO_MANY or not self._size.refused(last - first + 1):
                    raise
                continue
            check_form(self._wanted.check(logs, first, last))
            self._size.answered(last - first + 1)
            return logs, last

    def _far_span(self, first: int, last: int, logs: list[Log]) -> Span:
        headers = self._headers(sorted({first, last, *(log.block_number for log in logs)}))
        # What it follows is known once the span before it is.
        return self._span(Mark(first - 1, ZERO_DIGEST), last, headers, logs, keep=[headers[last]])

    def _near_span(self, after: Mark, last: int) -> Span:
        headers = self._headers(range(after.number + 1, last + 1))
        parent = after.hash
        for header in headers.values():
            if header.parent != parent:
                raise NodeError("the chain moved while it was read", "chain_moved")
            parent = header.hash
        found = self._source.block_logs([each.hash for each in headers.values()])
        for header, logs in zip(headers.values(), found, strict=True):
            check_form(self._wanted.check_block(logs, header.hash))
            self._require_complete(header, logs)
        logs = [log for each in found for log in each]
        return self._span(after, last, headers, logs, keep=list(headers.values()))

    def _require_complete(self, header: Block, logs: list[Log]) -> None:
        """Hold a block's events against its receipts, where its bloom says that it may have some."""
        if not self._wanted.may_match(header):
            if logs and any(header.logs_bloom):  # some chains have no blooms
                raise NodeError("a block has events that its bloom does not", "logs_inconsistent")
            return
        if self._source.receipt_logs(header) != logs:
            raise NodeError("a block's events are not those of its receipts", "logs_missing")

    def _span(self, after: Mark, last: int, headers: dict[int, Block], logs: list[Log], keep: Sequence[Block]) -> Span:
        uids, schemas = attested_uids(logs), sorted(attested_schemas(logs) - self.known)
        bodies: list[bytes] = []
        for at in range(0, len(uids), _BATCH):
            bodies += self._source.bodies(uids[at : at + _BATCH])
        return Span(
            previous=after,
            last=last,
            headers=headers,
            keep=keep,
            logs=logs,
            bodies=bodies,
            schemas=self._schemas(schemas),
        )

    def _headers(self, numbers: Sequence[int]) -> dict[int, Block]:
        found: list[Block] = []
        for at in range(0, len(numbers), _BATCH):
            found += self._source.headers(numbers[at : at + _BATCH])
        return dict(zip(numbers, found, strict=True))

    def _schemas(self, uids: Sequence[Digest]) -> dict[Digest, SchemaRow]:
        rows: list[SchemaRow] = []
        for at in range(0, len(uids), _BATCH):
            rows += self._source.schemas(uids[at : at + _BATCH])
        if [row.uid for row in rows] != list(uids):
            raise NodeError("the node does not have a schema that its logs tell of", "node_lags")
        return dict(zip(uids, rows, strict=True))
