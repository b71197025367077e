"""What a vault encrypts, and what each ciphertext is bound to.

Source: format specification, section 21.
"""

from __future__ import annotations

from chartseal.errors import VaultDamageError

RECORD_KIND = 1
"""Of a ciphertext: a delivery's keying material, then a sealed record's line."""
IKM_SIZE = 32
NO_IKM = bytes(IKM_SIZE)
"""In place of keying material that is not known: such a record is not delivered from here."""


def associated(attester: bytes, uid: bytes, version: int, kind: int = RECORD_KIND) -> bytes:
    """Associated data of a ciphertext."""
    return b"chartseal/1/vault" + attester + uid + version.to_bytes(4) + bytes([kind])


def payload(ikm: bytes, line: bytes) -> bytes:
    """What a record's ciphertext holds."""
    return (ikm or NO_IKM) + line


def split(data: bytes, place: str) -> tuple[bytes, bytes]:
    """Keying material, empty where it is not known, and line.

    Raises:
        VaultDamageError: `record_damaged`.
    """
    if len(data) <= IKM_SIZE:
        raise VaultDamageError("a record's ciphertext holds no record", "record_damaged", place)
    ikm = data[:IKM_SIZE]
    return b"" if ikm == NO_IKM else ikm, data[IKM_SIZE:]
