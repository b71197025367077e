"""The X25519 key under which an issuer's node is written to."""

from __future__ import annotations

from chartseal.errors import KeyFormatError


def transport_public(secret: bytes) -> bytes:
    """The public key of a raw X25519 scalar, both 32 bytes.

    Raises:
        KeyFormatError: not 32 bytes.

    Source: RFC 7748, section 5.
    """
    # Imported when it is used: only key files and cards need it.
    from Crypto.Protocol.DH import import_x25519_private_key

    if len(secret) != 32:
        raise KeyFormatError("a transport secret has 32 bytes")
    return bytes(import_x25519_private_key(secret).public_key().export_key(format="raw"))
