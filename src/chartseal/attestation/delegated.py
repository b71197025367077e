"""Delegated attestations and revocations: signed by one, sent to the contract by another.

What is signed depends on the contract's version: before 1.2.0 no value and deadline, from 1.3.0 on the signer too. A
proxy contract has deadlines in place of nonces.

Sources: eas-sdk 2.10 delegated.ts, delegated-proxy.ts; eas-contracts EIP1271Verifier.sol.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chartseal import _core
from chartseal.attestation import packages
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
from chartseal.attestation.networks import ONCHAIN_NAME, Domain
from chartseal.attestation.signer import Signer
from chartseal.errors import DomainError, ExpiredError, PackageError, SignatureError


@dataclass(frozen=True, slots=True)
class DelegatedAttestation:
    """An attestation to be made in the signer's name. Times are Unix seconds, value is in wei, deadline 0 is none."""

    schema: Digest
    data: bytes = field(repr=False)
    recipient: Address = ZERO_ADDRESS
    expiration_time: int = 0
    revocable: bool = True
    ref_uid: Digest = ZERO_DIGEST
    value: int = 0
    nonce: int = 0
    deadline: int = 0


@dataclass(frozen=True, slots=True)
class DelegatedRevocation:
    """A revocation to be made in the signer's name."""

    schema: Digest
    uid: Digest
    value: int = 0
    nonce: int = 0
    deadline: int = 0


DelegatedRequest = DelegatedAttestation | DelegatedRevocation

_TYPES = {
    "attester": "address",
    "revoker": "address",
    "schema": "bytes32",
    "recipient": "address",
    "expirationTime": "uint64",
    "revocable": "bool",
    "refUID": "bytes32",
    "data": "bytes",
    "uid": "bytes32",
    "value": "uint256",
    "nonce": "uint256",
    "deadline": "uint64",
}
_FIELDS = {"expirationTime": "expiration_time", "refUID": "ref_uid"}
_ATTESTED = ["schema", "recipient", "expirationTime", "revocable", "refUID", "data"]
_SIGNERS = {"attester", "revoker"}


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request and its signature, not verified; `signature` is r, s, v: 65 bytes."""

    request: DelegatedRequest
    domain: Domain
    signer: Address
    signature: bytes

    def to_json(self) -> dict[str, Any]:
        """As the SDK's response, with the members that are signed and the signer."""
        names = _members(self.request, self.domain)
        kind = _primary_type(self.request)
        message = {name: _to_json(name, _member(self.request, self.signer, name)) for name in names}
        return {
            "domain": packages.domain_to_json(self.domain),
            "primaryType": kind,
            "message": {_signer_name(self.request): checksum_address(self.signer), **message},
            "types": {kind: [{"name": name, "type": _TYPES[name]} for name in names]},
            "signature": packages.signature_to_json(self.signature),
        }


def release(version: str) -> tuple[int, int]:
    """Major and minor of a contract version, as semver coerces them.

    Raises:
        DomainError: no such version.
    """
    parts = version.split("-")[0].split(".")
    if not 1 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts):
        raise DomainError("expected a contract version", path="domain.version")
    major, minor, *_ = [*map(int, parts), 0, 0]
    return major, minor


def _primary_type(request: DelegatedRequest) -> str:
    return "Attest" if isinstance(request, DelegatedAttestation) else "Revoke"


def _signer_name(request: DelegatedRequest) -> str:
    return "attester" if isinstance(request, DelegatedAttestation) else "revoker"


def _members(request: DelegatedRequest, domain: Domain) -> list[str]:
    """Names of what is signed, in order, for the contract that the domain names."""
    since, proxy = release(domain.version), domain.name != ONCHAIN_NAME
    names = list(_ATTESTED) if isinstance(request, DelegatedAttestation) else ["schema", "uid"]
    if since >= (1, 3):
        names.insert(0, _signer_name(request))
    if since >= (1, 2):
        names.append("value")
    if not proxy:
        names.append("nonce")
    if proxy or since >= (1, 2):
        names.append("deadline")
    return names


def _member(request: DelegatedRequest, signer: Address, name: str) -> Any:
    return signer if name in _SIGNERS else getattr(request, _FIELDS.get(name, name))


def _word(name: str, value: Any) -> bytes:
    kind = _TYPES[name]
    return _core.keccak256(value) if kind == "bytes" else _core.encode_value(kind, value)


def _to_json(name: str, value: Any) -> Any:
    kind = _TYPES[name]
    if kind == "address":
        return checksum_address(value)
    if kind.startswith("uint"):
        return str(value)
    return to_hex(value) if isinstance(value, bytes) else value


def digest(request: DelegatedRequest, domain: Domain, signer: Address) -> Digest:
    """The EIP-712 digest to sign.

    Raises:
        FieldEncodingError: a number is out of its range.
    """
    names = _members(request, domain)
    encode_type = f"{_primary_type(request)}({','.join(f'{_TYPES[name]} {name}' for name in names)})"
    words = [_word(name, _member(request, signer, name)) for name in names]
    return Digest(_core.typed_data_digest(domain.separator(), encode_type, words))


def sign(request: DelegatedRequest, domain: Domain, signer: Signer) -> SignedRequest:
    """Sign for the contract that `domain` names: "EAS", or a proxy's own name.

    Raises:
        DomainError: the domain has no contract version.
    """
    return SignedRequest(request, domain, signer.address, signer.sign_digest(digest(request, domain, signer.address)))


def verify(signed: SignedRequest, domain: Domain, *, now: int) -> Address:
    """The signer, if it signed this request for `domain` and its deadline (Unix seconds) has not passed at `now`.

    Raises:
        DomainError: it was signed for another contract.
        SignatureError: malformed, or another signed.
        ExpiredError: the deadline has passed.
    """
    if signed.domain != domain:
        raise DomainError("the request is for another chain, contract or version", path="domain")
    signer = _core.recover_address(digest(signed.request, domain, signed.signer), signed.signature)
    if signer != signed.signer or signer == ZERO_ADDRESS:
        raise SignatureError("the signature is not by the stated signer", code="signer_mismatch", path="signer")
    if "deadline" in _members(signed.request, domain) and 0 < signed.request.deadline < now:
        raise ExpiredError("the request's deadline has passed")
    return signed.signer


def from_json(data: Any, signer: Address | None = None) -> SignedRequest:
    """Read the SDK's response; `signer` is needed where the message names none (legacy proxies).

    Raises:
        PackageError: malformed, members that nothing signs, or types that are not the contract's.
    """
    data = packages.members(data, {"domain", "primaryType", "message", "types", "signature"}, "response")
    domain = packages.domain_from_json(data["domain"], None)
    if not isinstance(data["message"], dict):
        raise PackageError("expected an object", path="message")
    message = {name: _read(name, value) for name, value in data["message"].items()}
    request = _request(data["primaryType"], {k: v for k, v in message.items() if k not in _SIGNERS})
    stated = message.get(_signer_name(request), signer)
    if stated is None or (signer is not None and stated != signer):
        raise PackageError("the signer is not stated, or another", path="message")
    names = _members(request, domain)
    types = {_primary_type(request): [{"name": name, "type": _TYPES[name]} for name in names]}
    if data["types"] != types or not message.keys() <= {*names, _signer_name(request)}:
        raise PackageError("the types are not those of the contract's version", path="types")
    return SignedRequest(request, domain, stated, packages.signature_from_json(data["signature"]))


def _request(kind: Any, message: dict[str, Any]) -> DelegatedRequest:
    makers: dict[Any, Callable[..., DelegatedRequest]] = {"Attest": DelegatedAttestation, "Revoke": DelegatedRevocation}
    try:
        return makers[kind](**{_FIELDS.get(name, name): value for name, value in message.items()})
    except (KeyError, TypeError) as exc:
        raise PackageError("the message has other members than its primary type", path="message") from exc


def _read(name: str, value: Any) -> Any:
    kind, place = _TYPES.get(name), f"message.{name}"
    if kind == "address":
        return address_from(value, place)
    if kind == "bytes32":
        return digest_from(value, place)
    if kind == "bytes":
        return from_hex(value, place)
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind in {"uint64", "uint256"}:
        return packages.unsigned(value, place, int(kind[4:]))
    raise PackageError("not a member that EAS signs", path="message")
