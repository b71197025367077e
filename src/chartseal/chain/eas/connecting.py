"""Whether EAS is where and what a deployment says, before anything is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chartseal.attestation import Address, Domain, to_hex
from chartseal.chain.calls import Read
from chartseal.chain.contract import Item
from chartseal.chain.deployment import Deployment
from chartseal.chain.eas.contracts import domain_of, proxy_contract
from chartseal.chain.eas.operations import Operations
from chartseal.chain.eas.proxying import ProxyOperations
from chartseal.chain.eas.registering import RegistryOperations
from chartseal.chain.steps import Ask, ChainId, Flow, Request
from chartseal.errors import DeploymentError, NodeError, RevertError

_NEW_VERSION = Item("version", (), ("string",))
_OLD_VERSION = Item("VERSION", (), ("string",))
"""What contracts before 1.0 have instead."""


@dataclass(frozen=True)
class Connected:
    """A deployment that was checked."""

    eas: Operations
    registry: RegistryOperations
    domain: Domain
    """That delegated requests are signed under."""


def connecting(deployment: Deployment) -> Flow[Connected]:
    """Check chain id, code, version, EIP-712 domain, and EAS's own registry.

    Raises:
        DeploymentError: `chain_wrong`, `contract_missing` or `contract_wrong`, at the member that differs.
        NodeError: the node does not answer.
    """
    if (found := (yield ChainId())) != deployment.chain_id:
        raise DeploymentError(f"the node is of chain {found}, the deployment of {deployment.chain_id}", "chain_wrong")
    places = {"eas": deployment.eas, "schemaRegistry": deployment.schema_registry}
    yield from requiring_code(places)
    eas, registry = Operations(deployment), RegistryOperations(deployment.schema_registry)
    version = yield from stated_version(deployment.eas)
    # A published beta may call itself by the version that it leads to.
    if version is None or version not in (deployment.version, deployment.version.partition("-")[0]):
        raise DeploymentError("the contract says that it is of another version", "contract_wrong", "version")
    separator = yield from answering(eas.domain_separator())
    if separator is None:
        raise DeploymentError("the contract is no EAS", "contract_wrong", "eas")
    domain = domain_of(version, deployment.chain_id, deployment.eas, separator)
    if (yield from answering(eas.schema_registry())) != deployment.schema_registry:
        raise DeploymentError("EAS uses another schema registry", "contract_wrong", "schemaRegistry")
    return Connected(eas, registry, domain)


def requiring_code(places: Mapping[str, Address]) -> Flow[None]:
    """Refuse addresses, by their places, where no contract stands.

    Raises:
        DeploymentError: `contract_missing`.
    """
    codes = yield Request([("eth_getCode", [to_hex(address), "latest"]) for address in places.values()])
    for place, code in zip(places, codes, strict=True):
        if not isinstance(code, str) or len(code) <= len("0x"):
            raise DeploymentError("there is no contract at this address", "contract_missing", place)


def stated_version(contract: Address) -> Flow[str | None]:
    """The version that a contract of EAS states, of either form; None where it states none.

    Raises:
        NodeError: the node does not answer.
    """
    for item in (_NEW_VERSION, _OLD_VERSION):
        found = yield from answering(Read(contract, item.encode(()), item.decode_result))
        if found is not None:
            return str(found[0])
    return None


def answering(read: Read[Any]) -> Flow[Any]:
    """A view's result; None where the contract has no such function."""
    try:
        [found] = yield Ask([read])
    except RevertError:
        return None
    except NodeError as error:
        if error.code != "node_malformed":  # what another kind of contract answers
            raise
        return None
    return found


def connecting_proxy(connected: Connected, address: Address) -> Flow[ProxyOperations]:
    """Check that a proxy stands before this EAS, and find its domain.

    Raises:
        DeploymentError: `contract_missing` or `contract_wrong`.
        NodeError: the node does not answer.
    """
    bound, deployment = proxy_contract().at(address), connected.eas.deployment
    yield from requiring_code({"proxy": address})
    version = yield from stated_version(address)
    found = []
    for name in ("getName", "getDomainSeparator", "getEAS"):
        found.append((yield from answering(bound.read(name))))
    if version is None or None in found:
        raise DeploymentError("the contract is no proxy of EAS", "contract_wrong", "proxy")
    name, separator, eas = found
    if eas != deployment.eas:
        raise DeploymentError("the proxy stands before another EAS", "contract_wrong", "proxy")
    domain = domain_of(version, deployment.chain_id, address, separator, name, place="proxy")
    return ProxyOperations(address, connected.eas.bound, domain)
