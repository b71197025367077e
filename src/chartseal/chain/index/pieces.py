"""A run of blocks as it was read, and as rows that may be stored once everything in it agrees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chartseal.attestation import Address, Digest
from chartseal.chain.calls import Block, Log
from chartseal.chain.index.bodies import Body, SchemaRow, read_body
from chartseal.chain.index.source import EAS
from chartseal.errors import NodeError

_ATTESTED, _REVOKED, _OFFCHAIN, _TIMESTAMPED = (
    EAS.events[name].topic for name in ("Attested", "Revoked", "RevokedOffchain", "Timestamped")
)
_WORDS = {_ATTESTED: (4, 32), _REVOKED: (4, 32), _OFFCHAIN: (4, 0), _TIMESTAMPED: (3, 0)}
"""Of each event: its topics, and bytes of data."""
_LARGEST_INDEX = 2**31 - 1

Row = tuple[Any, ...]


class Mark(NamedTuple):
    """A block by which a chain is recognised."""

    number: int
    hash: Digest


@dataclass(frozen=True, slots=True)
class Span:
    """Blocks first to last as they were read: nothing in it is checked."""

    previous: Mark
    """The block before the first."""
    last: int
    headers: Mapping[int, Block]
    """Of every block that has an event, of the first and of the last."""
    keep: Sequence[Block]
    """What a later reorganisation is recognised by."""
    logs: Sequence[Log] = field(repr=False)
    bodies: Sequence[bytes] = field(repr=False)
    """Of the attested, in their order."""
    schemas: Mapping[Digest, SchemaRow] = field(repr=False)
    """Those that may not be known yet."""

    @property
    def first(self) -> int:
        """The first block."""
        return self.previous.number + 1

    @property
    def mark(self) -> Mark:
        """The last block."""
        return Mark(self.last, self.headers[self.last].hash)


@dataclass(slots=True)
class Piece:
    """Blocks first to last as rows in the order of the tables' columns."""

    previous: Mark
    last: Block
    keep: Sequence[Block]
    attestations: list[Row] = field(default_factory=list, repr=False)
    revocations: list[Row] = field(default_factory=list, repr=False)
    offchain_revocations: list[Row] = field(default_factory=list, repr=False)
    timestamps: list[Row] = field(default_factory=list, repr=False)
    schemas: dict[Digest, Row] = field(default_factory=dict, repr=False)
    expected: dict[Digest, Row] = field(default_factory=dict, repr=False)

    def revoked(self) -> dict[Digest, Address]:
        """Who revoked which attestation."""
        return {row[0]: row[1] for row in self.revocations}

    def attested(self) -> dict[Digest, Address]:
        """Who made which attestation."""
        return {row[0]: row[6] for row in self.attestations}


def attested_uids(logs: Iterable[Log]) -> list[Digest]:
    """The attestations that the logs tell of, in their order."""
    return [Digest(log.data[:32]) for log in logs if log.topics[0] == _ATTESTED]


def attested_schemas(logs: Iterable[Log]) -> set[Digest]:
    """The schemas that they are under."""
    return {log.topics[3] for log in logs if log.topics[0] == _ATTESTED and len(log.topics) == 4}


def check_form(logs: Sequence[Log]) -> None:
    """Refuse logs that no EAS emits.

    Raises:
        NodeError: `logs_inconsistent`.
    """
    for log in logs:
        if (len(log.topics), len(log.data)) != _WORDS.get(log.topics[0]) or log.index > _LARGEST_INDEX:
            raise _inconsistent("a log is none of EAS's events")


def build(span: Span) -> Piece:
    """The rows of a span whose parts agree; its logs went through `check_form`.

    Raises:
        NodeError: `logs_inconsistent`, `node_lags` where a body is not there yet, `node_malformed`.
    """
    piece = Piece(span.previous, span.headers[span.last], span.keep)
    bodies = iter(span.bodies)
    for log in span.logs:
        block = span.headers[log.block_number]
        if block.hash != log.block_hash:
            raise NodeError("a log is of another block than the chain has", "chain_moved")
        kind = log.topics[0]
        if kind == _ATTESTED:
            _add_attestation(piece, log, block, _agreeing(log, block, next(bodies)), span.schemas)
        elif kind == _REVOKED:
            piece.revocations.append((log.data, log.topics[2][12:], block.timestamp, *_place(log)))
        elif kind == _OFFCHAIN:
            _require_time(log.topics[3], block)
            piece.offchain_revocations.append((log.topics[2], log.topics[1][12:], block.timestamp, *_place(log)))
        else:
            _require_time(log.topics[2], block)
            piece.timestamps.append((log.topics[1], block.timestamp, *_place(log)))
    for uid in piece.revoked():
        piece.expected.pop(uid, None)
    return piece


def _place(log: Log) -> Row:
    return (log.block_number, log.index, log.tx_hash)


def _agreeing(log: Log, block: Block, data: bytes) -> Body:
    """The body, held against its event, its uid and its block."""
    body = read_body(data)
    if body is None:
        raise NodeError("the node does not have an attestation that its logs tell of", "node_lags")
    event = (log.data, log.topics[3], log.topics[1][12:], log.topics[2][12:])
    if event != (body.uid, body.schema, body.recipient, body.attester) or body.time != block.timestamp:
        raise _inconsistent("an attestation's body is not what its event says")
    if not body.gives_its_uid():
        raise _inconsistent("an attestation's members do not give its uid")
    return body


def _add_attestation(piece: Piece, log: Log, block: Block, body: Body, schemas: Mapping[Digest, SchemaRow]) -> None:
    # In two's complement, as the column has it: this goes past the column's own conversion.
    expiration = body.expiration_time - (body.expiration_time >> 63 << 64)
    own = (*body[:3], expiration, *body[5:10])
    piece.attestations.append((*own, *_place(log)))
    if body.revocation_time:
        piece.expected[body.uid] = (body.uid, body.revocation_time, block.number)
    if body.schema in schemas and body.schema not in piece.schemas:
        piece.schemas[body.schema] = (*schemas[body.schema], block.number)


def _require_time(word: Digest, block: Block) -> None:
    if int.from_bytes(word) != block.timestamp:
        raise _inconsistent("an event's time is not its block's")


def _inconsistent(detail: str) -> NodeError:
    return NodeError(detail, "logs_inconsistent")
