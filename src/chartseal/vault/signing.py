"""Whether a provider signed what a vault gives out: statements of its log, receipts of erasures."""

from __future__ import annotations

from chartseal import _core
from chartseal.attestation import Address, Digest
from chartseal.errors import SignatureError


def is_signed_by(provider: Address, digest: Digest, signature: bytes) -> bool:
    """Whether it is the provider's secp256k1 signature over the digest: r ‖ s ‖ v, 65 bytes."""
    try:
        return _core.recover_address(digest, signature) == provider
    except SignatureError:
        return False
