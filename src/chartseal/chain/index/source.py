"""What the follower asks of a chain, and how a node answers it.

Bodies are read at the newest block, not at the one that is being indexed: nodes keep old state for a short while only,
and a body cannot change, since its uid is a hash over all of it. All but one member: the revocation time is taken from
events, and the body's own is held against them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from chartseal.attestation import Digest, from_hex, to_hex
from chartseal.chain.calls import Block, Log
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.index.bodies import SchemaRow, read_schema
from chartseal.chain.node import Node, _block, _log
from chartseal.errors import NodeError, PackageError

EVENTS = ("Attested", "Revoked", "RevokedOffchain", "Timestamped")
EAS = Contract.load("eas")
TOPICS = tuple(EAS.events[name].topic for name in EVENTS)
_LATEST = 253_402_300_799
"""Unix seconds of the end of year 9999; no chain has as many blocks either."""
_GET_ATTESTATION = EAS.functions["getAttestation"].selector
_GET_SCHEMA = Contract.load("schema_registry").functions["getSchema"].selector


@dataclass(frozen=True, slots=True)
class Header:
    """A block's header with what tells which events it may hold."""

    block: Block
    bloom: bytes = field(repr=False)
    """256 bytes; empty where the chain has none."""
    transactions: tuple[Digest, ...] = field(repr=False, default=())


class Source(Protocol):
    """A chain. Every answer may be wrong or of another moment than the one before: the follower checks what it can."""

    @property
    def chain_id(self) -> int:
        """Which chain."""

    def head(self) -> Header:
        """The newest block."""

    def headers(self, numbers: Sequence[int]) -> list[Header]:
        """The blocks of those numbers.

        Raises:
            NodeError: `block_unknown`.
        """

    def range_logs(self, first: int, last: int) -> list[Log]:
        """EAS's events of the blocks first to last, both included.

        Raises:
            NodeError: `logs_too_many`.
        """

    def block_logs(self, hashes: Sequence[Digest]) -> list[list[Log]]:
        """EAS's events of each of the blocks with those hashes.

        Raises:
            NodeError: one is not known.
        """

    def receipt_logs(self, header: Header) -> list[Log]:
        """EAS's events of a block once more, from its transactions' receipts."""

    def bodies(self, uids: Sequence[Digest]) -> list[bytes]:
        """What `getAttestation` returns for each, as it stands at the newest block."""

    def schemas(self, uids: Sequence[Digest]) -> list[SchemaRow]:
        """What is registered under each uid, without its first use."""


class NodeSource:
    """A chain through its node."""

    def __init__(self, node: Node, deployment: Deployment) -> None:
        """Take where to ask, and which EAS."""
        self.node = node
        self._eas, self._registry = to_hex(deployment.eas), to_hex(deployment.schema_registry)
        self._address = deployment.eas
        self._filter = {"address": self._eas, "topics": [[to_hex(topic) for topic in TOPICS]]}

    @property
    def chain_id(self) -> int:
        """The node's."""
        return self.node.chain_id

    def head(self) -> Header:
        """The newest block."""
        return _header(self.node.request("eth_getBlockByNumber", ["latest", False]))

    def headers(self, numbers: Sequence[int]) -> list[Header]:
        """Those blocks, and no others."""
        answers = self.node.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        found = [_header(each) for each in answers]
        if [each.block.number for each in found] != list(numbers):
            raise NodeError("the node gives other blocks than were asked", "node_malformed", self.node.host)
        return found

    def range_logs(self, first: int, last: int) -> list[Log]:
        """By one request."""
        return self.node.logs([self._address], [TOPICS], first, last)

    def block_logs(self, hashes: Sequence[Digest]) -> list[list[Log]]:
        """By hash: a node that does not have the block errs, where a range would read as empty."""
        answers = self.node.batch(
            [("eth_getLogs", [{**self._filter, "blockHash": to_hex(each)}]) for each in hashes],
        )
        return [_logs(answer, self.node.host) for answer in answers]

    def receipt_logs(self, header: Header) -> list[Log]:
        """From the receipt of each of the block's transactions, which every node has."""
        answers = self.node.batch([("eth_getTransactionReceipt", [to_hex(each)]) for each in header.transactions])
        found = []
        for answer in answers:
            if not isinstance(answer, dict) or answer.get("blockHash") != to_hex(header.block.hash):
                raise NodeError("a transaction is not of the block that names it", "node_lags", self.node.host)
            found += _logs(answer.get("logs"), self.node.host)
        return [each for each in found if each.address == self._address and each.topics and each.topics[0] in TOPICS]

    def bodies(self, uids: Sequence[Digest]) -> list[bytes]:
        """By one batch."""
        return self._calls(self._eas, _GET_ATTESTATION, uids)

    def schemas(self, uids: Sequence[Digest]) -> list[SchemaRow]:
        """By one batch."""
        return [read_schema(each) for each in self._calls(self._registry, _GET_SCHEMA, uids)]

    def _calls(self, to: str, selector: bytes, digests: Sequence[Digest]) -> list[bytes]:
        calls = [("eth_call", [{"to": to, "data": to_hex(selector + each)}, "latest"]) for each in digests]
        try:
            return [from_hex(answer, "eth_call") for answer in self.node.batch(calls)]
        except PackageError as exc:
            raise NodeError(exc.detail, "node_malformed", exc.path) from None


def _logs(answer: Any, host: str) -> list[Log]:
    if not isinstance(answer, list):
        raise NodeError("the node's logs are no list", "node_malformed", host)
    return [_log(each) for each in answer]


def _header(answer: Any) -> Header:
    block = _block(answer)
    if max(block.number, block.timestamp) > _LATEST:
        raise NodeError("a block's number or time is beyond any calendar", "node_malformed", "block")
    try:
        bloom = from_hex(answer.get("logsBloom") or "0x", "block.logsBloom")
        transactions = tuple(Digest(from_hex(each, "block.transactions", 32)) for each in answer["transactions"])
    except (PackageError, KeyError, TypeError):
        raise NodeError("a block has not the members of one", "node_malformed", "block") from None
    return Header(block, bloom, transactions)
