"""One chain's node over JSON-RPC: requests, batches, typed answers.

    node = Node("http://127.0.0.1:8545", chain_id=31337)
    node.read(Contract.load("eas").at(deployment.eas).read("getTimestamp", root), block.hash)

A node that cannot be reached, limits us, answers nonsense or for another chain raises NodeError: nothing follows.
What fails in passing is tried again, with back-off; a batch that is too large for the node is split. A read at a
block's hash is of exactly that state: a node that lags, or has left that chain, raises `block_unknown`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from chartseal.attestation import Address, Digest
from chartseal.chain.calls import Block, Log, Read, Receipt
from chartseal.chain.rpc.dialogue import Dialogue
from chartseal.chain.rpc.dialogue import Which as Which
from chartseal.chain.rpc.exchange import LARGEST_ANSWER, AsyncConnection, Connection, Endpoint, Talk, run, run_async
from chartseal.chain.rpc.filters import LogFilter
from chartseal.chain.rpc.jsonrpc import Query

T = TypeVar("T")


class Node:
    """A connection to one node of one chain, safe to share between threads."""

    def __init__(
        self,
        url: str,
        *,
        chain_id: int | None = None,
        timeout: float = 20,
        attempts: int = 5,
        largest: int = LARGEST_ANSWER,
    ) -> None:
        """Connect lazily; with `chain_id`, a node of another chain is refused at the first request.

        `timeout` is in seconds for one request, `attempts` counts tries of one that fails in passing, `largest` is
        the most bytes of one answer.

        Raises:
            NodeError: `node_url`; no http or https URL.
        """
        endpoint = Endpoint(url, timeout, largest)
        self.dialogue = Dialogue(endpoint, chain_id, attempts)
        self.host = endpoint.host
        """What errors may name: the rest of the URL may hold a key."""
        self._connection = Connection(endpoint)

    def __repr__(self) -> str:
        return f"Node({self.host})"

    def carry(self, talk: Talk[T]) -> T:
        """Carry a talk of `dialogue`, or one built on it, to its end."""
        return run(talk, self._connection)

    def close(self) -> None:
        """Close idle connections."""
        self._connection.close()

    @property
    def chain_id(self) -> int:
        """The chain's id, asked once.

        Raises:
            NodeError: `chain_wrong` where another was expected.
        """
        return self.carry(self.dialogue.chain())

    def request(self, method: str, params: Sequence[Any] = ()) -> Any:
        """One request's result.

        Raises:
            NodeError: no answer, or none that may be relied on.
            RevertError: a contract refused the call.
            SendError: the node does not take the transaction.
        """
        return self.batch([(method, params)])[0]

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Results of several requests, in their order, in as few round trips as the node takes.

        Raises:
            NodeError, RevertError, SendError: as `request`, for the first that fails.
        """
        return self.carry(self.dialogue.ask([Query(method, params) for method, params in calls]))

    def read(self, read: Read[T], block: Which = "latest", *, sender: Address | None = None) -> T:
        """Call a view.

        Raises:
            NodeError: `block_unknown` where the node has not that block (any more).
            RevertError: the contract refuses.
        """
        return self.read_many([read], block, sender=sender)[0]

    def read_many(self, reads: Sequence[Read[T]], block: Which = "latest", *, sender: Address | None = None) -> list[T]:
        """Call several views of one block.

        Raises:
            NodeError, RevertError: as `read`.
        """
        return self.carry(self.dialogue.read_many(reads, block, sender))

    def block(self, which: Which = "latest") -> Block:
        """A block's header; one by its hash need not be of the chain as it stands.

        Raises:
            NodeError: `block_unknown` where the node has none such.
        """
        return self.blocks([which])[0]

    def blocks(self, which: Sequence[Which]) -> list[Block]:
        """Several blocks' headers.

        Raises:
            NodeError: `block_unknown`.
        """
        return self.carry(self.dialogue.blocks(which))

    def receipt(self, tx_hash: Digest) -> Receipt | None:
        """A mined transaction's receipt, or None while it is not mined."""
        return self.receipts([tx_hash])[0]

    def receipts(self, hashes: Sequence[Digest]) -> list[Receipt | None]:
        """Several transactions' receipts."""
        return self.carry(self.dialogue.receipts(hashes))

    def logs(
        self,
        addresses: Sequence[Address],
        topics: Sequence[Sequence[Digest] | None],
        first: int,
        last: int,
    ) -> list[Log]:
        """Logs of blocks first to last, both included; of each topic any of those given, None for all.

        They are ascending, matching, in range and of one chain, and the node has the last block. `chain.logs` has
        ranges of any length, and completeness.

        Raises:
            NodeError: `logs_too_many` or (at once) `node_timeout` where the provider wants a smaller range,
                `block_unknown`, `logs_inconsistent`.
        """
        return self.carry(self.dialogue.logs(LogFilter.of(addresses, topics), first, last))


class AsyncNode:
    """As Node, for one event loop; close it, or use it as a context manager."""

    def __init__(
        self,
        url: str,
        *,
        chain_id: int | None = None,
        timeout: float = 20,
        attempts: int = 5,
        largest: int = LARGEST_ANSWER,
    ) -> None:
        """As Node."""
        endpoint = Endpoint(url, timeout, largest)
        self.dialogue = Dialogue(endpoint, chain_id, attempts)
        self.host = endpoint.host
        """What errors may name."""
        self._connection = AsyncConnection(endpoint)

    def __repr__(self) -> str:
        return f"AsyncNode({self.host})"

    async def carry(self, talk: Talk[T]) -> T:
        """As Node.carry."""
        return await run_async(talk, self._connection)

    async def close(self) -> None:
        """Close connections."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def chain_id(self) -> int:
        """As Node.chain_id, which is a property there."""
        return await self.carry(self.dialogue.chain())

    async def request(self, method: str, params: Sequence[Any] = ()) -> Any:
        """As Node.request."""
        return (await self.batch([(method, params)]))[0]

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """As Node.batch."""
        return await self.carry(self.dialogue.ask([Query(method, params) for method, params in calls]))

    async def read(self, read: Read[T], block: Which = "latest", *, sender: Address | None = None) -> T:
        """As Node.read."""
        return (await self.read_many([read], block, sender=sender))[0]

    async def read_many(
        self, reads: Sequence[Read[T]], block: Which = "latest", *, sender: Address | None = None
    ) -> list[T]:
        """As Node.read_many."""
        return await self.carry(self.dialogue.read_many(reads, block, sender))

    async def block(self, which: Which = "latest") -> Block:
        """As Node.block."""
        return (await self.blocks([which]))[0]

    async def blocks(self, which: Sequence[Which]) -> list[Block]:
        """As Node.blocks."""
        return await self.carry(self.dialogue.blocks(which))

    async def receipt(self, tx_hash: Digest) -> Receipt | None:
        """As Node.receipt."""
        return (await self.receipts([tx_hash]))[0]

    async def receipts(self, hashes: Sequence[Digest]) -> list[Receipt | None]:
        """As Node.receipts."""
        return await self.carry(self.dialogue.receipts(hashes))

    async def logs(
        self,
        addresses: Sequence[Address],
        topics: Sequence[Sequence[Digest] | None],
        first: int,
        last: int,
    ) -> list[Log]:
        """As Node.logs."""
        return await self.carry(self.dialogue.logs(LogFilter.of(addresses, topics), first, last))
