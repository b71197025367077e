"""What the follower asks of a chain, and how a node answers it.

Bodies are read at the newest block, not at the one that is being indexed: nodes keep old state for a short while only,
and a body cannot change, since its uid is a hash over all of it. All but one member: the revocation time is taken from
events, and the body's own is held against them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from chartseal.attestation import Address, Digest, to_hex
from chartseal.chain.calls import Block, Log
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.index.bodies import SchemaRow, read_schema
from chartseal.chain.rpc import answers
from chartseal.chain.rpc.filters import LogFilter
from chartseal.chain.rpc.node import Node
from chartseal.errors import NodeError

EAS = Contract.load("eas")
EVENTS = ("Attested", "Revoked", "RevokedOffchain", "Timestamped")
_TOPICS = tuple(EAS.events[name].topic for name in EVENTS)
_GET_ATTESTATION = EAS.functions["getAttestation"].selector
_GET_SCHEMA = Contract.load("schema_registry").functions["getSchema"].selector


def wanted(eas: Address) -> LogFilter:
    """EAS's events."""
    return LogFilter.of([eas], [_TOPICS])


class Source(Protocol):
    """A chain. Every answer may be wrong or of another moment than the one before: the follower checks what it can."""

    @property
    def chain_id(self) -> int:
        """Which chain."""

    def head(self) -> Block:
        """The newest block."""

    def headers(self, numbers: Sequence[int]) -> list[Block]:
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
            NodeError: `block_unknown`.
        """

    def receipt_logs(self, block: Block) -> list[Log]:
        """EAS's events of a block once more, from its transactions' receipts."""

    def bodies(self, uids: Sequence[Digest]) -> list[bytes]:
        """What `getAttestation` returns for each, as it stands at the newest block."""

    def schemas(self, uids: Sequence[Digest]) -> list[SchemaRow]:
        """What is registered under each uid."""


class NodeSource:
    """A chain through its node."""

    def __init__(self, node: Node, deployment: Deployment) -> None:
        """Take where to ask, and which EAS."""
        self.node = node
        self._wanted = wanted(deployment.eas)
        self._eas, self._registry = to_hex(deployment.eas), to_hex(deployment.schema_registry)

    @property
    def chain_id(self) -> int:
        """The node's."""
        return self.node.chain_id

    def head(self) -> Block:
        """The newest block."""
        return self.node.block()

    def headers(self, numbers: Sequence[int]) -> list[Block]:
        """Those blocks, and no others."""
        return self.node.blocks(numbers)

    def range_logs(self, first: int, last: int) -> list[Log]:
        """Of a node that has the last block; asked for twice, differently split, and both answers must agree."""
        found = self.node.carry(self.node.dialogue.logs(self._wanted, first, last))
        if self._places(first, last) != [(log.block_hash, log.index) for log in found]:
            raise NodeError("the node gives different logs of one range", "logs_inconsistent", self.node.host)
        return found

    def _places(self, first: int, last: int) -> list[tuple[bytes, int]]:
        """Which logs there are, by blocks and positions alone: that is quick to read."""
        middle = (first + last) // 2
        halves = [(first, middle), (middle + 1, last)] if first < last else [(first, last)]
        asked = [{**self._wanted.to_json(), "fromBlock": hex(first), "toBlock": hex(last)} for first, last in halves]
        answered = self.node.batch([("eth_getLogs", [each]) for each in asked])
        try:
            logs = [each for half in answered for each in half]
            return [(bytes.fromhex(each["blockHash"][2:]), int(each["logIndex"], 16)) for each in logs]
        except (KeyError, TypeError, ValueError):
            raise NodeError("a log has not the members of one", "node_malformed", "eth_getLogs") from None

    def block_logs(self, hashes: Sequence[Digest]) -> list[list[Log]]:
        """By hash: a node that does not have the block errs, where a range would read as empty."""
        return self.node.carry(self.node.dialogue.block_logs(self._wanted, hashes))

    def receipt_logs(self, block: Block) -> list[Log]:
        """From the receipt of each of the block's transactions, which every node has."""
        answer = self.node.request("eth_getBlockByHash", [to_hex(block.hash), False])
        if not isinstance(answer, dict) or not isinstance(answer.get("transactions"), list):
            raise NodeError("the node does not have a block that it gave", "block_unknown", self.node.host)
        hashes = [Digest(answers.data(each, "block.transactions", 32)) for each in answer["transactions"]]
        found = []
        for receipt in self.node.receipts(hashes):
            if receipt is None or receipt.block_hash != block.hash:
                raise NodeError("a transaction is not of the block that names it", "chain_moved", self.node.host)
            found += [log for log in receipt.logs if self._wanted.matches(log)]
        return found

    def bodies(self, uids: Sequence[Digest]) -> list[bytes]:
        """By one batch."""
        return self._calls(self._eas, _GET_ATTESTATION, uids)

    def schemas(self, uids: Sequence[Digest]) -> list[SchemaRow]:
        """By one batch."""
        return [read_schema(each) for each in self._calls(self._registry, _GET_SCHEMA, uids)]

    def _calls(self, to: str, selector: bytes, digests: Sequence[Digest]) -> list[bytes]:
        calls = [("eth_call", [{"to": to, "data": to_hex(selector + each)}, "latest"]) for each in digests]
        return [answers.data(answer, "eth_call") for answer in self.node.batch(calls)]
