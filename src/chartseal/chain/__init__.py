"""EAS on a chain, and what Chartseal keeps there: accreditations, anchors, revocations.

In: a node's URL, a deployment, a key for what is sent. Out: attestations, timestamps, and what verification asks.

    node, deployment = Node("https://node.example"), Deployment.public(8453)
    view = FactsView([RpcFacts(node, deployment)])
    verify(disclosure, trust, audience=us, nonce=given, now=now, chain=view)

`chain.eas` is the EAS client, `chain.authority` accredits, `chain.anchors` timestamps, `chain.index` follows a chain.
It needs the extra `chain`.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from chartseal.errors import MissingExtraError

if TYPE_CHECKING:
    from chartseal.chain.deployment import Deployment
    from chartseal.chain.facts import Attestation, ChainFacts
    from chartseal.chain.rpc.node import AsyncNode, Node
    from chartseal.chain.rpc_facts import RpcFacts
    from chartseal.chain.seals.revoking import Revoker
    from chartseal.chain.sending.fees import FeePolicy, GasPolicy
    from chartseal.chain.sending.sender import AsyncSender, Sender
    from chartseal.chain.view import FactsView

_NEEDED = ("aiohttp", "alembic", "eth_utils", "requests", "rlp", "sqlalchemy", "tenacity")

for _name in _NEEDED:
    if find_spec(_name) is None:
        raise MissingExtraError(f"{_name} is not installed: pip install 'chartseal[chain]'")

_HOMES = {
    "AsyncNode": "rpc.node",
    "AsyncSender": "sending.sender",
    "Attestation": "facts",
    "ChainFacts": "facts",
    "Deployment": "deployment",
    "FactsView": "view",
    "FeePolicy": "sending.fees",
    "GasPolicy": "sending.fees",
    "Node": "rpc.node",
    "Revoker": "seals.revoking",
    "RpcFacts": "rpc_facts",
    "Sender": "sending.sender",
}

__all__ = [
    "AsyncNode",
    "AsyncSender",
    "Attestation",
    "ChainFacts",
    "Deployment",
    "FactsView",
    "FeePolicy",
    "GasPolicy",
    "Node",
    "Revoker",
    "RpcFacts",
    "Sender",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'chartseal.chain' has no attribute {name!r}")
    return getattr(importlib.import_module(f"chartseal.chain.{_HOMES[name]}"), name)
