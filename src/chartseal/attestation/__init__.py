"""Seal: values under a salted root, signed as an EAS attestation. No chain and no FHIR needed.

In: named, typed values and a signer. Out: a package that any EAS tool verifies, and proofs that open single values.

    data = PrivateData.salted([("string", "medication", "metformin 500 mg"), ("uint256", "days", 30)])
    message = OffchainMessage(PRIVATE_DATA_SCHEMA, time=1_700_000_000, data=data.root)
    package = sign_offchain(message, network("base").domain(), signer)
    verify_offchain(package, now=datetime.now(UTC)).message.data == data.root
"""

from chartseal.attestation import delegated, links, packages, signer
from chartseal.attestation.hexes import (
    ZERO_ADDRESS,
    ZERO_DIGEST,
    Address,
    Digest,
    address_from,
    checksum_address,
    digest_from,
    from_hex,
    to_hex,
)
from chartseal.attestation.networks import CONTRACT_VERSIONS, Domain, Network, network, networks
from chartseal.attestation.offchain import (
    Form,
    OffchainMessage,
    UnverifiedPackage,
    VerifiedAttestation,
    offchain_uid,
)
from chartseal.attestation.offchain import recover as recover_offchain
from chartseal.attestation.offchain import sign as sign_offchain
from chartseal.attestation.offchain import sign_many as sign_offchain_many
from chartseal.attestation.offchain import verify as verify_offchain
from chartseal.attestation.onchain import attestation_uid
from chartseal.attestation.private_data import Multiproof, PrivateData, PrivateValue
from chartseal.attestation.schema import Parameter, Schema, schema_uid
from chartseal.attestation.signer import LocalSigner, Signer

PRIVATE_DATA_SCHEMA = schema_uid("bytes32 privateData")
"""uid of the schema that private data is attested under: resolver zero, revocable."""

__all__ = [
    "CONTRACT_VERSIONS",
    "PRIVATE_DATA_SCHEMA",
    "ZERO_ADDRESS",
    "ZERO_DIGEST",
    "Address",
    "Digest",
    "Domain",
    "Form",
    "LocalSigner",
    "Multiproof",
    "Network",
    "OffchainMessage",
    "Parameter",
    "PrivateData",
    "PrivateValue",
    "Schema",
    "Signer",
    "UnverifiedPackage",
    "VerifiedAttestation",
    "address_from",
    "attestation_uid",
    "checksum_address",
    "delegated",
    "digest_from",
    "from_hex",
    "links",
    "network",
    "networks",
    "offchain_uid",
    "packages",
    "recover_offchain",
    "schema_uid",
    "sign_offchain",
    "sign_offchain_many",
    "signer",
    "to_hex",
    "verify_offchain",
]
