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
from chartseal.chain.rpc import answers
from chartseal.chain.rpc.node import AsyncNode, Node, Which
from chartseal.chain.sending.sender import AsyncSender, Sender
from chartseal.errors import ChartsealError, SendError

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Ask:
    """Views to be called in one round trip; the answer is the list of their results."""

    reads: Sequence[Read[Any]]
    block: Which = "latest"


@dataclass(frozen=True, slots=True)
class Request:
    """Requests to the node in one round trip, by method and parameters; the answer is the list of their results."""

    calls: Sequence[tuple[str, Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Send:
    """Transactions to be sent at once and waited for; the answer is the list of their results, or errors in place."""

    writes: Sequence[Write[Any]]
    gas: Sequence[int] | None = None
    """Limits, where they are known."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The answer is the newest Block."""


@dataclass(frozen=True, slots=True)
class ChainId:
    """The answer is the id of the node's chain."""


Step: TypeAlias = Ask | Request | Send | Newest | ChainId
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
        return node.read_many(step.reads, step.block)
    if isinstance(step, Request):
        return node.batch(step.calls)
    if isinstance(step, Send):
        return _given(sender).send_each(step.writes, gas=step.gas)
    return node.block() if isinstance(step, Newest) else node.chain_id


async def run_async(flow: Flow[T], node: AsyncNode, sender: AsyncSender | None = None) -> T:
    """As `run`."""
    try:
        step = next(flow)
        while True:
            try:
                answer = await _perform_async(step, node, sender)
            except ChartsealError as error:
                step = flow.throw(error)
            else:
                step = flow.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


async def _perform_async(step: Step, node: AsyncNode, sender: AsyncSender | None) -> Any:
    if isinstance(step, Ask):
        return await node.read_many(step.reads, step.block)
    if isinstance(step, Request):
        return await node.batch(step.calls)
    if isinstance(step, Send):
        return await _given(sender).send_each(step.writes, gas=step.gas)
    return await (node.block() if isinstance(step, Newest) else node.chain_id())


def _given(sender: S | None) -> S:
    if sender is None:
        raise no_sender()
    return sender


def no_sender() -> SendError:
    """What a flow that sends meets without a key."""
    return SendError("no key to send with was given", "signer_missing")


def estimating(write: Write[Any], sender: Address) -> Flow[int]:
    """How much gas a transaction would take now.

    Raises:
        RevertError: the contract refuses it.
        NodeError: as the node.
    """
    to = {"to": to_hex(write.to)} if write.to is not None else {}
    call = {**to, "from": to_hex(sender), "data": to_hex(write.data), "value": hex(write.value)}
    [answer] = yield Request([("eth_estimateGas", [call])])
    return answers.number(answer, "eth_estimateGas")
