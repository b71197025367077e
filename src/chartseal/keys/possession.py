"""Proof that whoever seals as an attester holds a proving key: the key's signature over the attester's address.

Without it an authority could be led to register one issuer's proving key under another issuer's address.
"""

from __future__ import annotations

from chartseal import _core
from chartseal.attestation import Address
from chartseal.errors import KeyFormatError, SignatureError
from chartseal.predicates.hashes import field_element, to_bytes


def possession_message(attester: Address, proving_key: bytes) -> bytes:
    """F("proving-key"; address attester, bytes32 provingKey): 32 bytes, big-endian.

    Raises:
        FieldEncodingError: not 20 and 32 bytes.
    """
    return to_bytes(field_element("proving-key", "address,bytes32", attester, proving_key))


def verify_possession(attester: Address, proving_key: bytes, possession: bytes) -> None:
    """Check that the key signed the attester's address.

    Raises:
        KeyFormatError: the key is not a point as circomlib packs them, on the curve and in the subgroup.
        SignatureError: it did not.
    """
    _core.verify_holder_signature(proving_key, possession_message(attester, proving_key), possession)


def proves_possession(attester: Address, proving_key: bytes, possession: bytes) -> bool:
    """Whether the key is well formed and signed the attester's address."""
    try:
        verify_possession(attester, proving_key, possession)
    except (KeyFormatError, SignatureError):
        return False
    return True
