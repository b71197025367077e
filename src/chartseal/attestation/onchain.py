"""The uid that the contract gives an attestation on chain.

Source: eas-contracts EAS.sol `_getUID`. The SDK's `EAS.getAttestationUID` hashes the schema's ASCII: not followed.
"""

from __future__ import annotations

from chartseal import _core
from chartseal.attestation.hexes import Address, Digest
from chartseal.attestation.offchain import OffchainMessage


def attestation_uid(message: OffchainMessage, attester: Address, bump: int = 0) -> Digest:
    """keccak256 of schema, recipient, attester, time, expiration, revocable, refUID, data and bump, packed.

    `bump` counts collisions of otherwise equal attestations in one block; the message's salt does not enter.
    """
    schema, recipient, time, expiration, revocable, ref_uid, data, _ = message.as_core()
    times = time.to_bytes(8, "big") + expiration.to_bytes(8, "big")
    packed = schema + recipient + attester + times + bytes([revocable]) + ref_uid + data + bump.to_bytes(4, "big")
    return Digest(_core.keccak256(packed))
