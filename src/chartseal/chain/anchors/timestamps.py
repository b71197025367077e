"""What a chain says of roots: EAS's timestamps, read at one very block."""

from __future__ import annotations

from collections.abc import Sequence

from chartseal.attestation import Digest, to_hex
from chartseal.chain.calls import Block
from chartseal.chain.checks import check_deployment
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.dialogue import Which
from chartseal.chain.node import Node
from chartseal.errors import NodeError


class Timestamps:
    """Reads EAS's timestamps through one node. Times are Unix seconds, 0 for none."""

    def __init__(self, node: Node, deployment: Deployment) -> None:
        """Take the node, and the EAS that it should know."""
        self._node = node
        self._deployment = deployment
        self._eas = Contract.load("eas").at(deployment.eas)
        self._is_deployed = False

    def check(self) -> None:
        """It is this EAS, on this chain.

        Raises:
            DeploymentError, NodeError: as `check_deployment`.
        """
        check_deployment(self._node, self._deployment)

    def blocks(self) -> tuple[Block, Block | None]:
        """The newest block and the newest final one; None where EAS is younger than that.

        Raises:
            NodeError: as the node.
        """
        head = self._node.block()
        number = head.number - self._deployment.finality
        if number == head.number:
            return head, head
        if number < 0:
            return head, None
        final = self._node.block(number)
        self._is_deployed = self._is_deployed or self._has_code(hex(number))
        return head, final if self._is_deployed else None

    def _has_code(self, block: str) -> bool:
        return bool(self._node.request("eth_getCode", [to_hex(self._deployment.eas), block]) != "0x")

    def at(self, roots: Sequence[Digest], block: Block) -> list[int]:
        """Of each root at that very block.

        Raises:
            NodeError: as the node; `block_unknown` where the chain no longer has the block.
        """
        return self._at(roots, block.hash)

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
