"""Reading a chain forward, span by span, each one linked to the block before it.

What is final is read by ranges of numbers; what is not, block by block: headers that link to one another, events by
block hash, and where a header's bloom says that EAS may have spoken, the receipts beside them. A provider that loses
events cannot hide them there. `thorough` reads the whole chain so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chartseal import _core
from chartseal.attestation import Address, Digest
from chartseal.chain.calls import Log
from chartseal.chain.deployment import Deployment
from chartseal.chain.index.bodies import SchemaRow
from chartseal.chain.index.pieces import Mark, Span, attested_schemas, attested_uids, checked_logs
from chartseal.chain.index.source import TOPICS, Header, Source
from chartseal.errors import NodeError

_NEAR = 8
"""Blocks that are read one by one even where all are final: those that a lagging node may not have."""
_CHUNK = 64
_BATCH = 100
"""Bodies, headers or schemas in one request."""
_EVENTS = 400
"""Events of a span, blocks being whole: storing one overlaps reading the next."""
_WIDEST = 65_536
_TOO_MANY = {"logs_too_many", "node_refused", "node_unreachable", "node_truncated", "node_oversized", "node_limited"}
"""Answers to a range that a smaller one may not meet."""


class Reader:
    """Reads one deployment's events; keeps what it learnt about the provider's limits and about schemas."""

    def __init__(self, source: Source, deployment: Deployment, *, thorough: bool = False) -> None:
        """Take where to read, and whether every block is looked at."""
        self._source = source
        self._eas = deployment.eas
        self._near = max(deployment.finality, _NEAR)
        self._thorough = thorough
        self._width = 2_048
        self.known: set[Digest] = set()
        """Schemas whose text need not be asked for; the follower tells which are stored."""

    def spans(self, after: Mark, head: Header) -> Iterator[Span]:
        """From the block after that one up to `head`.

        Raises:
            NodeError: `chain_moved` where the chain is no longer the one that `after` or `head` stands on.
        """
        far = after.number if self._thorough else head.block.number - self._near
        while after.number < far:
            logs, last = self._range(after.number + 1, far)
            for part, end in _cut(logs, last):
                span = self._far_span(after, end, part)
                yield span
                after = Mark(end, span.headers[end].block.hash)
        while after.number < head.block.number:
            span = self._near_span(after, min(after.number + _CHUNK, head.block.number))
            yield span
            after = Mark(span.last, span.headers[span.last].block.hash)
        if after != Mark(head.block.number, head.block.hash):
            raise NodeError("the chain moved while it was read", "chain_moved")

    def _range(self, first: int, far: int) -> tuple[list[Log], int]:
        """All events of as many blocks as the provider gives at once."""
        while True:
            last = min(far, first + self._width - 1)
            try:
                logs = self._source.range_logs(first, last)
            except NodeError as error:
                if error.code not in _TOO_MANY or first == last:
                    raise
                self._width = max(1, (last - first + 1) // 2)
                continue
            checked_logs(logs, self._eas, first, last)
            self._width = min(_WIDEST, self._width * 2)
            return logs, last

    def _far_span(self, after: Mark, last: int, logs: list[Log]) -> Span:
        numbers = {after.number + 1, last, *(log.block_number for log in logs)}
        headers = self._headers(sorted(numbers))
        if headers[after.number + 1].block.parent != after.hash:
            raise NodeError("the chain moved while it was read", "chain_moved")
        return self._span(after, last, headers, logs, keep=[headers[last]])

    def _near_span(self, after: Mark, last: int) -> Span:
        headers = self._headers(range(after.number + 1, last + 1))
        parent = after.hash
        for header in headers.values():
            if header.block.parent != parent:
                raise NodeError("the chain moved while it was read", "chain_moved")
            parent = header.block.hash
        found = self._source.block_logs([each.block.hash for each in headers.values()])
        for header, logs in zip(headers.values(), found, strict=True):
            checked_logs(logs, self._eas, header.block.number, header.block.number)
            self._require_complete(header, logs)
        logs = [log for each in found for log in each]
        return self._span(after, last, headers, logs, keep=list(headers.values()))

    def _require_complete(self, header: Header, logs: list[Log]) -> None:
        """Hold a block's events against its receipts, where its bloom says that it may have some."""
        if not may_hold(header.bloom, self._eas):
            if logs and any(header.bloom):  # some chains have no blooms
                raise NodeError("a block has events that its bloom does not", "logs_inconsistent")
            return
        if self._source.receipt_logs(header) != logs:
            raise NodeError("a block's events are not those of its receipts", "logs_missing")

    def _span(
        self, after: Mark, last: int, headers: dict[int, Header], logs: list[Log], keep: Sequence[Header]
    ) -> Span:
        uids, schemas = attested_uids(logs), sorted(attested_schemas(logs) - self.known)
        bodies: list[bytes] = []
        for at in range(0, len(uids), _BATCH):
            bodies += self._source.bodies(uids[at : at + _BATCH])
        return Span(
            previous=after,
            last=last,
            headers=headers,
            keep=[each.block for each in keep],
            logs=logs,
            bodies=bodies,
            schemas=self._schemas(schemas),
        )

    def _headers(self, numbers: Sequence[int]) -> dict[int, Header]:
        found: list[Header] = []
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


def _cut(logs: list[Log], last: int) -> Iterator[tuple[list[Log], int]]:
    """Parts of a range, each whole blocks with the events of one span, up to `last`."""
    begin = 0
    for at in range(1, len(logs)):
        if at - begin >= _EVENTS and logs[at].block_number != logs[at - 1].block_number:
            yield logs[begin:at], logs[at - 1].block_number
            begin = at
    yield logs[begin:], last


def may_hold(bloom: bytes, eas: Address) -> bool:
    """Whether a block with that bloom may have one of EAS's events.

    Source: Ethereum yellow paper, 4.3.1: three bits of 2,048 for the address and for each topic.
    """
    if len(bloom) != 256:
        return False
    bits = int.from_bytes(bloom)
    return _all_set(bits, eas) and any(_all_set(bits, topic) for topic in TOPICS)


def _all_set(bits: int, entry: bytes) -> bool:
    digest = _core.keccak256(entry)
    return all(bits >> (int.from_bytes(digest[at : at + 2]) & 2_047) & 1 for at in (0, 2, 4))
