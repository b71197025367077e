"""What a chain says of roots: EAS's timestamps, read at one block, which its hash pins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chartseal.attestation import Digest
from chartseal.chain.calls import Block
from chartseal.chain.checks import check_deployment
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.rpc.dialogue import Which
from chartseal.chain.rpc.node import Node
from chartseal.errors import NodeError


class Seen(NamedTuple):
    """What EAS says of one root."""

    time: int
    is_final: bool


class Timestamps:
    """Reads EAS's timestamps through one node. Times are Unix seconds, 0 for none."""

    def __init__(self, node: Node, deployment: Deployment) -> None:
        """Take the node, and the EAS that it should know."""
        self._node = node
        self._deployment = deployment
        self._eas = Contract.load("eas").at(deployment.eas)

    def check(self) -> None:
        """It is this EAS, on this chain.

        Raises:
            DeploymentError, NodeError: as `check_deployment`.
        """
        check_deployment(self._node, self._deployment)

    def seen(self, roots: Sequence[Digest]) -> tuple[Block, list[Seen]]:
        """The newest block, and each root's timestamp at it.

        One is final that is older than the newest final block: blocks' times never descend, so that it lies beneath.
        State of before, which many nodes keep for minutes only, is asked for where the times are equal alone.

        Raises:
            NodeError: as the node; `block_unknown` where the chain was reorganised meanwhile.
        """
        head = self._node.block()
        number = head.number - self._deployment.finality
        times = self._at(roots, head.hash)
        if number < 0:
            return head, [Seen(time, is_final=False) for time in times]
        if number == head.number:
            return head, [Seen(time, is_final=time > 0) for time in times]
        final = self._node.block(number)
        at_final = self._equal(roots, times, final)
        return head, [
            Seen(time, is_final=0 < time < final.timestamp or (time > 0 and root in at_final))
            for root, time in zip(roots, times, strict=True)
        ]

    def _equal(self, roots: Sequence[Digest], times: Sequence[int], final: Block) -> set[Digest]:
        """Roots of the final block's own time that its state has."""
        asked = [root for root, time in zip(roots, times, strict=True) if time == final.timestamp]
        try:
            known = self._at(asked, final.hash) if asked else []
        except NodeError:  # no such state, or EAS is younger: a later block tells
            return set()
        return {root for root, time in zip(asked, known, strict=True) if time}

    def newest(self, roots: Sequence[Digest]) -> list[int]:
        """Of each root, at whatever block the node has.

        Raises:
            NodeError: as the node.
        """
        return self._at(roots, "latest")

    def pooled(self, roots: Sequence[Digest]) -> list[int]:
        """Of each root, as if the transactions in the node's pool were mined; as `newest` where a node does not tell.

        Raises:
            NodeError: as the node.
        """
        try:
            return self._at(roots, "pending")
        except NodeError as error:
            if error.code != "node_refused":
                raise
            return self.newest(roots)

    def _at(self, roots: Sequence[Digest], which: Which) -> list[int]:
        return self._node.read_many([self._eas.read("getTimestamp", root) for root in roots], which)
