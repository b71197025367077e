"""The Ethereum Attestation Service on a chain: everything that its TypeScript SDK does there, sync and async.

In: a node, a deployment, a signer for what sends. Out: uids, times, receipts; or a clear error before a fee is paid.

    eas = EAS.connect(Node(url), Deployment.public(chain_id), signer=signer)
    uid = eas.attest(AttestationRequest(PRIVATE_DATA_SCHEMA, data.root))
    eas.get_attestation(uid).data == data.root
"""

from chartseal.chain.eas.async_client import AsyncEAS, AsyncEIP712Proxy, AsyncSchemaRegistry
from chartseal.chain.eas.client import EAS, EIP712Proxy, SchemaRegistry
from chartseal.chain.eas.indexer import AsyncIndexer, Indexer
from chartseal.chain.eas.requests import NEVER, AttestationRequest, RevocationRequest, SchemaRecord
from chartseal.chain.facts import Attestation

__all__ = [
    "EAS",
    "NEVER",
    "AsyncEAS",
    "AsyncEIP712Proxy",
    "AsyncIndexer",
    "AsyncSchemaRegistry",
    "Attestation",
    "AttestationRequest",
    "EIP712Proxy",
    "Indexer",
    "RevocationRequest",
    "SchemaRecord",
    "SchemaRegistry",
]
