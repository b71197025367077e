"""What a chain says of roots: EAS's timestamps, read at one very block."""

from __future__ import annotations

from collections.abc import Sequence

from chartseal.attestation import Digest, to_hex
from chartseal.chain.calls import Block
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.node import Node
from chartseal.errors import DeploymentError, NodeError, RevertError

_READS = 500


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
            NodeError: `chain_wrong`, or no answer.
            DeploymentError: `contract_wrong`.
        """
        if self._node.chain_id != self._deployment.chain_id:
            raise NodeError("the node is of another chain than the deployment", "chain_wrong")
        if not self._has_code("latest"):
            raise DeploymentError("there is no contract at EAS's address", "contract_wrong")
        try:
            version = self._node.read(self._eas.read("version"))
            registry = self._node.read(self._eas.read("getSchemaRegistry"))
        except RevertError:
            raise DeploymentError("the contract is not EAS", "contract_wrong") from None
        if (version, registry) != (self._deployment.version, self._deployment.schema_registry):
            raise DeploymentError("EAS has another version or registry than the deployment says", "contract_wrong")

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
        found = self._at(roots, block.number)
        if self._node.block(block.number).hash != block.hash:
            raise NodeError("the chain was reorganised while it was read", "block_unknown")
        return found

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

    def _at(self, roots: Sequence[Digest], which: int | str) -> list[int]:
        reads = [self._eas.read("getTimestamp", root) for root in roots]
        found: list[int] = []
        for start in range(0, len(reads), _READS):
            found += self._node.read_many(reads[start : start + _READS], which)
        return found
