"""Whether EAS is where and what a deployment says, before anything is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chartseal.attestation import Address, Domain
from chartseal.chain.calls import Read
from chartseal.chain.deployment import Deployment
from chartseal.chain.eas.contracts import domain_of, proxy_contract
from chartseal.chain.eas.operations import Operations
from chartseal.chain.eas.proxying import ProxyOperations
from chartseal.chain.eas.registering import RegistryOperations
from chartseal.chain.steps import Ask, ChainId, Flow
from chartseal.errors import DeploymentError, NodeError, RevertError


@dataclass(frozen=True)
class Connected:
    """A deployment that was checked."""

    eas: Operations
    registry: RegistryOperations
    domain: Domain
    """That delegated requests are signed under."""


def connecting(deployment: Deployment) -> Flow[Connected]:
    """Check chain id, version, domain separator and registry.

    Raises:
        DeploymentError: `chain_wrong`, or `contract_wrong`: another contract, or none, is there.
        NodeError: the node does not answer.
    """
    if (found := (yield ChainId())) != deployment.chain_id:
        detail = f"the node is of chain {found}, the deployment of chain {deployment.chain_id}"
        raise DeploymentError(detail, "chain_wrong", "chainId")
    eas, registry = Operations(deployment), RegistryOperations(deployment.schema_registry)
    version = yield from _version(eas.version(), eas.version(old=True))
    if version != deployment.version:
        raise DeploymentError("the contract has another version than the deployment", "contract_wrong", "version")
    separator, stated = yield from _asked("eas", eas.domain_separator(), eas.schema_registry())
    if stated != deployment.schema_registry:
        raise DeploymentError("the contract has another SchemaRegistry", "contract_wrong", "schemaRegistry")
    domain = domain_of(version, deployment.chain_id, deployment.eas, separator)
    return Connected(eas, registry, domain)


def connecting_proxy(connected: Connected, address: Address) -> Flow[ProxyOperations]:
    """Check that a proxy stands before this EAS, and find its domain.

    Raises:
        DeploymentError: `contract_wrong`.
    """
    bound, deployment = proxy_contract().at(address), connected.eas.deployment
    version = yield from _version(bound.read("version"), bound.read("VERSION"))
    name, separator, eas = yield from _asked(
        "proxy", bound.read("getName"), bound.read("getDomainSeparator"), bound.read("getEAS")
    )
    if eas != deployment.eas:
        raise DeploymentError("the proxy stands before another EAS", "contract_wrong", "proxy")
    domain = domain_of(version, deployment.chain_id, address, separator, name)
    return ProxyOperations(address, connected.eas.bound, domain)


def _version(new: Read[str], old: Read[str]) -> Flow[str]:
    try:
        [version] = yield Ask([new])
    except (RevertError, NodeError):
        # A call of what 0.x has not reverts; a node that fails will fail again.
        [version] = yield from _asked("version", old)
    return str(version)


def _asked(place: str, *reads: Read[Any]) -> Flow[list[Any]]:
    try:
        answers: list[Any] = yield Ask(reads)
    except RevertError as exc:
        raise DeploymentError("another contract stands at this address", "contract_wrong", place) from exc
    except NodeError as exc:
        if exc.code != "node_malformed":
            raise
        raise DeploymentError("no such contract stands at this address", "contract_wrong", place) from exc
    return answers
