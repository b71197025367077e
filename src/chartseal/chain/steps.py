"""Work on a chain as a generator: it yields what it needs and is given it, so that sync and async share it.

def twice(read: Read[int]) -> Flow[int]:
    [value] = yield Ask([read])
    return 2 * value

run(twice(read), node) == await run_async(twice(read), async_node)
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from chartseal.attestation import Address, to_hex
from chartseal.chain.calls import Read, Write
from chartseal.chain.node import Node, Which
from chartseal.chain.sender import Sender
from chartseal.errors import ChartsealError, NodeError, SendError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """Views to be called in one round trip; the answer is the list of their results."""

    reads: Sequence[Read[Any]]
    block: Which = "latest"


@dataclass(frozen=True, slots=True)
class Send:
    """Transactions to be sent at once and waited for; the answer is the list of their results."""

    writes: Sequence[Write[Any]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """How much gas a transaction would take now; the answer is that number."""

    write: Write[Any]
    sender: Address


@dataclass(frozen=True, slots=True)
class Newest:
    """The answer is the newest Block."""


@dataclass(frozen=True, slots=True)
class ChainId:
    """The answer is the id of the node's chain."""


Step: TypeAlias = Ask | Send | Estimate | Newest | ChainId
Flow: TypeAlias = Generator[Step, Any, T]


def run(flow: Flow[T], node: Node, sender: Sender | None = None) -> T:
    """Do what a flow asks for, to its end.

    Raises:
        SendError: `signer_missing`; it sends, and there is no sender.
        ChartsealError: what the flow, the node or the sender raises.
    """
    try:
        step = next(flow)
        while True:
            try:
                answer = _perform(step, node, sender)
            except ChartsealError as error:
                step = flow.throw(error)
            else:
                step = flow.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


def _perform(step: Step, node: Node, sender: Sender | None) -> Any:
    if isinstance(step, Ask):
        return node.read_many(step.reads, step.block) if step.reads else []
    if isinstance(step, Send):
        if sender is None:
            raise no_sender()
        return sender.send_many(step.writes)
    if isinstance(step, Estimate):
        return gas_of(node.request("eth_estimateGas", [estimate_request(step)]))
    return node.block() if isinstance(step, Newest) else node.chain_id


def no_sender() -> SendError:
    """What a flow that sends meets without a key."""
    return SendError("no key to send with was given", "signer_missing")


def estimate_request(step: Estimate) -> dict[str, str]:
    """The transaction as `eth_estimateGas` takes it."""
    to = {"to": to_hex(step.write.to)} if step.write.to is not None else {}
    members = {"from": to_hex(step.sender), "data": to_hex(step.write.data), "value": hex(step.write.value)}
    return {**to, **members}


def gas_of(answer: Any) -> int:
    """An estimate's number.

    Raises:
        NodeError: `node_malformed`.
    """
    try:
        return int(answer, 16)
    except (TypeError, ValueError):
        raise NodeError("expected a number in hex", "node_malformed", "eth_estimateGas") from None
