"""Bytes and their 0x text: fixed sizes, and addresses with EIP-55's checksum."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NewType

from chartseal import _core
from chartseal.errors import PackageError

Digest = NewType("Digest", bytes)
"""32 bytes: a keccak256 output, a UID or a salt. Hex with 0x only at JSON edges."""

Address = NewType("Address", bytes)
"""20 bytes. Text with EIP-55's checksum only at JSON edges."""

ZERO_DIGEST = Digest(bytes(32))
ZERO_ADDRESS = Address(bytes(20))


def to_hex(data: bytes) -> str:
    """Lower-case hex with 0x, as ethers writes it."""
    return "0x" + data.hex()


def from_hex(text: Any, place: str, size: int | None = None) -> bytes:
    """Read 0x hex of either case; `place` names it in the error.

    Raises:
        PackageError: not such text, or not `size` bytes.
    """
    if not isinstance(text, str) or not text.startswith("0x"):
        raise PackageError("expected hex bytes with 0x", path=place)
    try:
        data = bytes.fromhex(text[2:])
    except ValueError as exc:
        raise PackageError("expected hex bytes with 0x", path=place) from exc
    if 2 * len(data) != len(text) - 2:  # fromhex passes over white space
        raise PackageError("expected hex bytes with 0x", path=place)
    if size is not None and len(data) != size:
        raise PackageError(f"expected {size} bytes, not {len(data)}", path=place)
    return data


def digest_from(text: Any, place: str) -> Digest:
    """Read 32 bytes of hex."""
    return Digest(from_hex(text, place, 32))


def canonical_digest_from(text: Any, place: str) -> Digest:
    """Read 32 bytes of lower-case hex: where the text itself is hashed or compared, as schema and uid are."""
    digest = digest_from(text, place)
    if text != to_hex(digest):
        raise PackageError("hex must be in lower case here", path=place)
    return digest


@lru_cache(maxsize=1_024)
def checksum_address(address: bytes) -> str:
    """The address as EIP-55 writes it: a letter is a capital where its nibble of the text's keccak256 is over 7."""
    text = address.hex()
    marks = _core.keccak256(text.encode()).hex()
    return "0x" + "".join(char.upper() if int(mark, 16) > 7 else char for char, mark in zip(text, marks, strict=False))


def address_from(text: Any, place: str) -> Address:
    """Read an address: checksummed, or all of one case.

    Raises:
        PackageError: not 20 bytes of hex, or mixed case that is not the checksum.
    """
    address = Address(from_hex(text, place, 20))
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and text != checksum_address(address):
        raise PackageError("wrong address checksum", path=place)
    return address
