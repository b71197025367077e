"""Chartseal's schemas in a chain's registry: which are known, and making them known."""

from __future__ import annotations

from collections.abc import Sequence

from chartseal.attestation import ZERO_ADDRESS, Address
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.rpc.node import Node
from chartseal.chain.schemas import SCHEMAS, ChainSchema
from chartseal.chain.sending.sender import Sender
from chartseal.errors import RevertError


def unregistered(
    node: Node,
    deployment: Deployment,
    schemas: Sequence[ChainSchema] = SCHEMAS,
    *,
    resolver: Address = ZERO_ADDRESS,
) -> list[ChainSchema]:
    """Those that the chain's registry does not have with that resolver, in their order.

    Raises:
        NodeError, RevertError: as the node.
    """
    registry = Contract.load("schema_registry").at(deployment.schema_registry)
    found = node.read_many([registry.read("getSchema", schema.uid(resolver)) for schema in schemas])
    # An unknown uid gives a record of zeros.
    return [
        schema
        for schema, record in zip(schemas, found, strict=True)
        if record != (schema.uid(resolver), resolver, schema.revocable, schema.text)
    ]


def register(
    sender: Sender,
    deployment: Deployment,
    schemas: Sequence[ChainSchema] = SCHEMAS,
    *,
    resolver: Address = ZERO_ADDRESS,
) -> list[ChainSchema]:
    """Register those that are missing, and give them; that another registers the same meanwhile is no error.

    Raises:
        NodeError, RevertError, SendError: as the sender.
    """
    missing = unregistered(sender.node, deployment, schemas, resolver=resolver)
    registry = Contract.load("schema_registry").at(deployment.schema_registry)
    try:
        sender.send_many([registry.write("register", each.text, resolver, each.revocable) for each in missing])
    except RevertError:
        if unregistered(sender.node, deployment, missing, resolver=resolver):
            raise
    return missing
