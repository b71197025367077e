"""What every client of EAS's contracts has: a node, a sender if it sends, and flows that they carry."""

from __future__ import annotations

from typing import TypeVar

from chartseal.chain.rpc.node import AsyncNode, Node
from chartseal.chain.sending.sender import AsyncSender, Sender
from chartseal.chain.steps import Flow, run, run_async

T = TypeVar("T")


class Client:
    """Runs flows through one node and sender."""

    def __init__(self, node: Node, sender: Sender | None) -> None:
        """Take both; without a sender it reads only."""
        self.node = node
        self.sender = sender

    def _run(self, flow: Flow[T]) -> T:
        return run(flow, self.node, self.sender)


class AsyncClient:
    """As Client, for one event loop."""

    def __init__(self, node: AsyncNode, sender: AsyncSender | None) -> None:
        """As Client."""
        self.node = node
        self.sender = sender

    async def _run(self, flow: Flow[T]) -> T:
        return await run_async(flow, self.node, self.sender)
