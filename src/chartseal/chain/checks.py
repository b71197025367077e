"""Whether EAS stands where a deployment says: by the contracts' own word, before anything relies on it."""

from __future__ import annotations

from chartseal.attestation import Address
from chartseal.chain.deployment import Deployment
from chartseal.chain.eas.connecting import connecting, stated_version
from chartseal.chain.rpc.node import Node
from chartseal.chain.steps import run


def check_deployment(node: Node, deployment: Deployment) -> None:
    """Compare a deployment with the chain: code, version, EIP-712 domain, and EAS's own registry.

    Raises:
        DeploymentError: `chain_wrong`, `contract_missing` or `contract_wrong`, at the member that differs.
        NodeError: as the node.
    """
    run(connecting(deployment), node)


def contract_version(node: Node, eas: Address) -> str | None:
    """The version that a contract states, of either form; None where it states none.

    Raises:
        NodeError: as the node.
    """
    return run(stated_version(eas), node)
