"""Whether EAS stands where a deployment says: by the contracts' own word, before anything relies on it."""

from __future__ import annotations

from typing import Any

from chartseal.attestation import Address, to_hex
from chartseal.attestation.networks import ONCHAIN_NAME
from chartseal.chain.calls import Read
from chartseal.chain.contract import Item
from chartseal.chain.deployment import Deployment
from chartseal.chain.node import Node
from chartseal.errors import DeploymentError, NodeError, RevertError

_NEW_VERSION = Item("version", (), ("string",))
_OLD_VERSION = Item("VERSION", (), ("string",))
"""What contracts before 1.0 have instead."""
_SEPARATOR = Item("getDomainSeparator", (), ("bytes32",))
_REGISTRY = Item("getSchemaRegistry", (), ("address",))


def check_deployment(node: Node, deployment: Deployment) -> None:
    """Compare a deployment with the chain: code, version, EIP-712 domain, and EAS's own registry.

    Raises:
        DeploymentError: `chain_wrong`, `contract_missing` or `contract_wrong`, at the member that differs.
        NodeError: as the node.
    """
    if node.chain_id != deployment.chain_id:
        raise DeploymentError(
            f"the node is of chain {node.chain_id}, the deployment of {deployment.chain_id}", "chain_wrong"
        )
    places = {"eas": deployment.eas, "schemaRegistry": deployment.schema_registry}
    codes = node.batch([("eth_getCode", [to_hex(address), "latest"]) for address in places.values()])
    for place, code in zip(places, codes, strict=True):
        if not isinstance(code, str) or len(code) <= len("0x"):
            raise DeploymentError("there is no contract at this address", "contract_missing", place)
    _check_eas(node, deployment)


def _check_eas(node: Node, deployment: Deployment) -> None:
    # A published beta calls itself by the version that it leads to.
    versions = {deployment.version, deployment.version.partition("-")[0]}
    found = contract_version(node, deployment.eas)
    if found not in versions:
        raise DeploymentError("the contract says that it is of another version", "contract_wrong", "version")
    if _answer(node, deployment.eas, _SEPARATOR) not in [
        Deployment(deployment.chain_id, version, deployment.eas, deployment.schema_registry)
        .domain(ONCHAIN_NAME)
        .separator()
        for version in versions
    ]:
        raise DeploymentError("the contract's EIP-712 domain is another", "contract_wrong", "eas")
    if _answer(node, deployment.eas, _REGISTRY) != deployment.schema_registry:
        raise DeploymentError("EAS uses another schema registry", "contract_wrong", "schemaRegistry")


def contract_version(node: Node, eas: Address) -> str | None:
    """The version that a contract states, of either form; None where it states none.

    Raises:
        NodeError: as the node.
    """
    for item in (_NEW_VERSION, _OLD_VERSION):
        found = _answer(node, eas, item)
        if found is not None:
            return str(found)
    return None


def _answer(node: Node, address: Address, item: Item) -> Any:
    """A view's one result; None where the contract has no such function."""
    try:
        return node.read(Read(address, item.encode(()), lambda data: item.decode_result(data)[0]))
    except RevertError:
        return None
    except NodeError as error:
        if error.code != "node_malformed":  # what another kind of contract answers
            raise
        return None
