"""F and P of the format specification, section "Notation"."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from chartseal import _core
from chartseal.attestation import abi


def field_element(name: str, types: str, *values: Any) -> int:
    """F("name"; values): keccak256(abi.encode("chartseal/1/" + name, values)) >> 8; `types` are joined by commas."""
    kinds = [abi.parse_type(kind) for kind in f"string,{types}".rstrip(",").split(",")]
    hashed = _core.keccak256(abi.encode_all(kinds, [f"chartseal/1/{name}", *values]))
    return int.from_bytes(hashed, "big") >> 8


@lru_cache(maxsize=16)
def tag(name: str) -> int:
    """The tag of that name, F("tag/…")."""
    return field_element(f"tag/{name}", "")


def code_value(system: str, code: str) -> int:
    """F("code"; system, code)."""
    return field_element("code", "string,string", system, code)


def to_bytes(element: int) -> bytes:
    """A field element as 32 bytes, big-endian."""
    return element.to_bytes(32, "big")


def poseidon(*inputs: int) -> int:
    """P of 1 to 10 field elements."""
    return int.from_bytes(_core.poseidon_hash([to_bytes(each) for each in inputs]), "big")


def delegation_message(
    subject: bytes, proxy: bytes, audience: str, *, not_before: int, expiry: int, majority: int
) -> bytes:
    """What a record's subject signs to let a proxy sign its disclosures: 32 bytes, big-endian.

    F("delegation"; bytes32 subject, bytes32 proxy, bytes32 keccak256(audience), or 0 where the audience is empty,
    uint64 notBefore, uint64 expiry, uint64 majority). Wallets and verifiers share it.

    Raises:
        FieldEncodingError: a part does not fit its type.
    """
    audience_hash = _core.keccak256(audience.encode()) if audience else bytes(32)
    kinds = "bytes32,bytes32,bytes32,uint64,uint64,uint64"
    return to_bytes(field_element("delegation", kinds, subject, proxy, audience_hash, not_before, expiry, majority))


def consent_message(root: bytes, custodian: bytes) -> bytes:
    """What a holder signs to let a custodian answer by a consent: F("consent"; bytes32 root, address custodian).

    32 bytes, big-endian. Wallets and custodians share it, and the next.

    Raises:
        FieldEncodingError: a part does not fit its type.
    """
    return to_bytes(field_element("consent", "bytes32,address", root, custodian))


def withdrawal_message(root: bytes) -> bytes:
    """What a holder signs to withdraw a consent: F("consent-withdrawal"; bytes32 root), 32 bytes, big-endian.

    Raises:
        FieldEncodingError: the root has not 32 bytes.
    """
    return to_bytes(field_element("consent-withdrawal", "bytes32", root))
