"""EAS's Indexer contract: uids of attestations by schema, attester and recipient, for those that somebody indexed.

Anybody may index any attestation, once. What nobody indexed it does not know: no answer here is complete by itself.
Source: eas-contracts Indexer.sol, eas-sdk 2.10 indexer.ts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chartseal.attestation import Address, Digest
from chartseal.chain.calls import Read, Receipt, Write
from chartseal.chain.contract import Bound
from chartseal.chain.eas.batching import Batching
from chartseal.chain.eas.carrying import AsyncClient, Client
from chartseal.chain.eas.connecting import answering, requiring_code
from chartseal.chain.eas.contracts import indexer_contract
from chartseal.chain.eas.flows import Flows, listed
from chartseal.chain.rpc.node import AsyncNode, Node, Which
from chartseal.chain.sending.sender import AsyncSender, Sender
from chartseal.chain.steps import Flow
from chartseal.errors import DeploymentError

_PAGE = 1_000
"""Uids in one answer, unless asked otherwise."""


class IndexerFlows:
    """A client's work with one Indexer."""

    def __init__(self, address: Address, flows: Flows) -> None:
        """Take where it is, and the work on the EAS that it indexes."""
        self._bound: Bound = indexer_contract().at(address)
        self._checks = flows.checks
        self._batching = Batching(flows.me)

    def index(self, uids: Sequence[Digest], budget: int | None) -> Flow[list[Receipt]]:
        """Index attestations; those that are indexed already stay so."""
        yield from self._checks.existing(uids)
        return (yield from self._batching.send(uids, listed(self._write), budget))

    def _write(self, uids: Sequence[Digest]) -> Write[Receipt]:
        return self._bound.write("indexAttestations", list(uids))

    def is_indexed(self, uid: Digest) -> Read[bool]:
        """Whether somebody indexed it."""
        return self._bound.read("isAttestationIndexed", uid)

    def count(self, schema: Digest, attester: Address | None, recipient: Address | None) -> Read[int]:
        """How many uids there are."""
        name, arguments = _selection(schema, attester, recipient)
        return self._bound.read(f"{name}Count", *arguments)

    def uids(
        self,
        schema: Digest,
        attester: Address | None,
        recipient: Address | None,
        start: int,
        length: int,
        newest_first: bool,
    ) -> Read[list[Digest]]:
        """Some of them, in the order in which they were indexed."""
        name, arguments = _selection(schema, attester, recipient)
        read = self._bound.read(f"{name}s", *arguments, start, length, newest_first)
        return Read(read.to, read.data, lambda data: [Digest(uid) for uid in read.decode(data)])


def _selection(schema: Digest, attester: Address | None, recipient: Address | None) -> tuple[str, tuple[Any, ...]]:
    """The function that selects so, without its last letters, and its first arguments."""
    if attester is not None and recipient is not None:
        return "getSchemaAttesterRecipientAttestationUID", (schema, attester, recipient)
    if attester is not None:
        return "getSentAttestationUID", (attester, schema)
    if recipient is not None:
        return "getReceivedAttestationUID", (recipient, schema)
    return "getSchemaAttestationUID", (schema,)


def connecting_indexer(flows: Flows, address: Address) -> Flow[IndexerFlows]:
    """Check that an Indexer of this EAS stands there.

    Raises:
        DeploymentError: `contract_missing` or `contract_wrong`.
        NodeError: the node does not answer.
    """
    yield from requiring_code({"indexer": address})
    if (yield from answering(indexer_contract().at(address).read("getEAS"))) != flows.eas.deployment.eas:
        raise DeploymentError("the contract is no Indexer of this EAS", "contract_wrong", "indexer")
    return IndexerFlows(address, flows)


class Indexer(Client):
    """Uids by schema, attester and recipient, of what somebody indexed."""

    def __init__(self, node: Node, sender: Sender | None, flows: IndexerFlows) -> None:
        """Use `EAS.indexer`."""
        super().__init__(node, sender)
        self._flows = flows

    def index(self, uids: Sequence[Digest], *, budget: int | None = None) -> list[Receipt]:
        """Index attestations; a receipt for each, which those of one transaction share.

        Raises:
            RequestError: `attestation_unknown`, `batch_empty`, `gas_budget`.
        """
        return self._run(self._flows.index(uids, budget))

    def is_indexed(self, uid: Digest, block: Which = "latest") -> bool:
        """Whether somebody indexed it."""
        return self.node.read(self._flows.is_indexed(uid), block)

    def count(
        self,
        schema: Digest,
        *,
        attester: Address | None = None,
        recipient: Address | None = None,
        block: Which = "latest",
    ) -> int:
        """How many were indexed under the schema, by that attester and for that recipient if given."""
        return self.node.read(self._flows.count(schema, attester, recipient), block)

    def uids(
        self,
        schema: Digest,
        *,
        attester: Address | None = None,
        recipient: Address | None = None,
        start: int = 0,
        length: int = _PAGE,
        newest_first: bool = False,
        block: Which = "latest",
    ) -> list[Digest]:
        """`length` uids from the position `start` on, in the order of indexing or against it.

        Raises:
            RevertError: `eas_invalid_offset`; there are not so many.
        """
        return self.node.read(self._flows.uids(schema, attester, recipient, start, length, newest_first), block)


class AsyncIndexer(AsyncClient):
    """As Indexer, each method to be awaited."""

    def __init__(self, node: AsyncNode, sender: AsyncSender | None, flows: IndexerFlows) -> None:
        """As Indexer."""
        super().__init__(node, sender)
        self._flows = flows

    async def index(self, uids: Sequence[Digest], *, budget: int | None = None) -> list[Receipt]:
        """As Indexer.index."""
        return await self._run(self._flows.index(uids, budget))

    async def is_indexed(self, uid: Digest, block: Which = "latest") -> bool:
        """As Indexer.is_indexed."""
        return await self.node.read(self._flows.is_indexed(uid), block)

    async def count(
        self,
        schema: Digest,
        *,
        attester: Address | None = None,
        recipient: Address | None = None,
        block: Which = "latest",
    ) -> int:
        """As Indexer.count."""
        return await self.node.read(self._flows.count(schema, attester, recipient), block)

    async def uids(
        self,
        schema: Digest,
        *,
        attester: Address | None = None,
        recipient: Address | None = None,
        start: int = 0,
        length: int = _PAGE,
        newest_first: bool = False,
        block: Which = "latest",
    ) -> list[Digest]:
        """As Indexer.uids."""
        return await self.node.read(self._flows.uids(schema, attester, recipient, start, length, newest_first), block)
