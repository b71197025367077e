"""Who is accredited, as a node's settings have it asked: of an index or of a chain's node, by authorities it trusts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from chartseal.chain.deployment import Deployment
from chartseal.chain.facts import ChainFacts
from chartseal.chain.index import IndexFacts, Snapshot, connect
from chartseal.chain.rpc import Node
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.errors import NodeSettingsError
from chartseal.node.settings import NetworkSettings, Settings
from chartseal.node.smart import Accreditations, ChainAccreditations, Relocated
from chartseal.verification import TrustPolicy


@contextmanager
def accreditations_of(settings: Settings, network: NetworkSettings) -> Iterator[Accreditations]:
    """Accreditations by the trust policy's authorities, until the block ends.

    Raises:
        NodeSettingsError: neither an index nor a node is named, or the policy trusts no authority.
        PolicyError: the trust policy cannot be read.
        ChainError: the chain or the index cannot be used.
    """
    policy = TrustPolicy.load(settings.at(network.trust))
    if not policy.authorities:
        raise NodeSettingsError("the trust policy names no authority", "settings_invalid", "network.trust")
    with _facts(settings, network) as facts:
        found: Accreditations = ChainAccreditations(facts, policy.authorities)
        yield Relocated(found, network.elsewhere) if network.elsewhere else found


@contextmanager
def _facts(settings: Settings, network: NetworkSettings) -> Iterator[Callable[[], AbstractContextManager[ChainFacts]]]:
    """What gives the facts of the newest block, each time it is called."""
    stated = None if network.deployment is None else Deployment.load(settings.at(network.deployment))
    if network.index is None:
        if network.rpc is None:
            raise NodeSettingsError("a node or an index of the chain is needed", "settings_invalid", "network.rpc")
        rpc = settings.secret(network.rpc, "network.rpc")
        node = Node(rpc, chain_id=None if stated is None else stated.chain_id)
        deployment = stated or Deployment.public(node.chain_id)
        yield lambda: nullcontext(RpcFacts(node, deployment))
        return
    engine = connect(settings.secret(network.index, "network.index"))
    try:
        with Snapshot(engine) as moment:
            of = stated or moment.deployment
        yield lambda: IndexFacts(engine, of)
    finally:
        engine.dispose()
