"""Proof that whoever seals as an attester holds a proving key: the key's signature over the attester's address.

Without it an authority could be led to register one issuer's proving key under another issuer's address.
"""

from __future__ import annotations

from chartseal import _core
from chartseal.attestation import Address, abi
from chartseal.errors import KeyFormatError, SignatureError


def possession_message(attester: Address, proving_key: bytes) -> bytes:
    """F("proving-key"; address attester, bytes32 provingKey): 32 bytes, big-endian.

    Raises:
        FieldEncodingError: not 20 and 32 bytes.
    """
    kinds = [abi.parse_type(kind) for kind in ("string", "address", "bytes32")]
    hashed = _core.keccak256(abi.encode_all(kinds, ["chartseal/1/proving-key", attester, proving_key]))
    return (int.from_bytes(hashed) >> 8).to_bytes(32)


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
