"""Off-chain packages as eas-sdk's JSON: `{"sig": {…}, "signer": "0x…"}`.

Reading is strict: what the SDK ignores (members that nothing signs, a version that contradicts the types) is refused,
so that no reader can be shown something else than what was signed.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any

from chartseal import _json
from chartseal.attestation.hexes import (
    ZERO_DIGEST,
    Digest,
    address_from,
    canonical_digest_from,
    checksum_address,
    digest_from,
    from_hex,
    to_hex,
)
from chartseal.attestation.networks import OFFCHAIN_NAME, Domain
from chartseal.attestation.offchain import Form, OffchainMessage, UnverifiedPackage, type_table
from chartseal.errors import PackageError

LARGEST_PACKAGE = 1 << 20
"""Bytes of JSON that a package may have."""

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
_SIG = {"version", "uid", "domain", "primaryType", "message", "types", "signature"}
_MESSAGE = {"schema", "recipient", "time", "expirationTime", "revocable", "refUID", "data"}


def to_json(package: UnverifiedPackage) -> dict[str, Any]:
    """The package as the SDK's JSON, 64-bit integers as decimal text."""
    form, signature = package.form, package.signature
    return {
        "sig": {
            "version": form.version,
            "uid": to_hex(package.uid),
            "domain": domain_to_json(package.domain),
            "primaryType": form.primary_type,
            "message": _message_to_json(package.message, form),
            "types": {form.primary_type: type_table(form)},
            "signature": signature_to_json(signature),
        },
        "signer": checksum_address(package.signer),
    }


def domain_to_json(domain: Domain) -> dict[str, Any]:
    """EIP-712's domain object."""
    return {
        "name": domain.name,
        "version": domain.version,
        "chainId": str(domain.chain_id),
        "verifyingContract": checksum_address(domain.contract),
    }


def signature_to_json(signature: bytes) -> dict[str, Any]:
    """r, s and v apart."""
    return {"v": signature[64], "r": to_hex(signature[:32]), "s": to_hex(signature[32:64])}


def _message_to_json(message: OffchainMessage, form: Form) -> dict[str, Any]:
    data: dict[str, Any] = {
        "version": form.version,
        "schema": to_hex(message.schema),
        "recipient": checksum_address(message.recipient),
        "time": str(message.time),
        "expirationTime": str(message.expiration_time),
        "revocable": message.revocable,
        "refUID": to_hex(message.ref_uid),
        "data": to_hex(message.data),
    }
    return {**data, "salt": to_hex(message.salt)} if form.version >= 2 else data


def loads(text: str | bytes) -> UnverifiedPackage:
    """Read a package from JSON text.

    Raises:
        PackageError: too long, not JSON, a member twice, or as `from_json`.
    """
    if len(text) > LARGEST_PACKAGE:
        raise PackageError("the package is too long", code="package_size")
    try:
        data = _json.loads(text)
    except ValueError as exc:
        raise PackageError("the package is not JSON, or a member stands twice") from exc
    return from_json(data)


def from_json(data: Any) -> UnverifiedPackage:
    """Read a parsed package. Nothing is verified but its form.

    Raises:
        PackageError: a member is missing, unknown, malformed, or contradicts another.
    """
    package = members(data, {"sig", "signer"}, "package")
    sig = members(_with_signature(package["sig"]), _SIG, "sig", optional={"version"})
    form = _form(sig)
    return UnverifiedPackage(
        form=form,
        domain=domain_from_json(sig["domain"], OFFCHAIN_NAME),
        message=_message(sig["message"], form),
        uid=canonical_digest_from(sig["uid"], "sig.uid"),
        signature=signature_from_json(sig["signature"]),
        signer=address_from(package["signer"], "signer"),
    )


def _with_signature(sig: Any) -> Any:
    """Before version 1.0 the SDK put v, r and s beside the other members."""
    if isinstance(sig, dict) and {"v", "r", "s"} <= sig.keys() and "signature" not in sig:
        rest = {name: value for name, value in sig.items() if name not in {"v", "r", "s"}}
        return {**rest, "signature": {name: sig[name] for name in ("v", "r", "s")}}
    return sig


def members(data: Any, required: Set[str], place: str, optional: Set[str] = frozenset()) -> dict[str, Any]:
    """The object with all required members and none unknown.

    Raises:
        PackageError: not so.
    """
    if not isinstance(data, dict) or not required - optional <= data.keys() <= required | optional:
        raise PackageError("expected an object with exactly the members that EAS gives it", path=place)
    return data


def unsigned(value: Any, place: str, bits: int = 64) -> int:
    """An unsigned integer, from JSON number or decimal text.

    Raises:
        PackageError: not one, or over the bits.
    """
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << bits:
        raise PackageError("expected an unsigned integer", path=place)
    return value


def domain_from_json(data: Any, name: str | None) -> Domain:
    """Read a domain, which must have that name if one is given.

    Raises:
        PackageError: malformed or another name.
    """
    data = members(data, {"name", "version", "chainId", "verifyingContract"}, "domain")
    if not isinstance(data["name"], str) or (name is not None and data["name"] != name):
        raise PackageError("the domain has another name", path="domain.name")
    if not isinstance(data["version"], str) or len(data["version"]) > 32 or not data["version"].isascii():
        raise PackageError("expected a contract version", path="domain.version")
    contract = address_from(data["verifyingContract"], "domain.verifyingContract")
    return Domain(data["version"], unsigned(data["chainId"], "domain.chainId"), contract, data["name"])


def signature_from_json(data: Any) -> bytes:
    """Read r, s and v as 65 bytes.

    Raises:
        PackageError: malformed.
    """
    data = members(data, {"r", "s", "v"}, "signature")
    r, s = (from_hex(data[name], f"signature.{name}", 32) for name in ("r", "s"))
    return r + s + bytes([unsigned(data["v"], "signature.v", 8)])


def _form(sig: dict[str, Any]) -> Form:
    """The form by primary type and types. One legacy table of the SDK misnames its primary type."""
    types = sig["types"]
    for form in Form:
        names = {("Attestation", "Attest"), ("Attest", "Attest")} if form is Form.LEGACY_ATTEST else set()
        names = names or {(form.primary_type, form.primary_type)}
        for primary, name in names:
            if sig["primaryType"] == primary and types == {name: type_table(form)}:
                return _checked_version(form, sig)
    raise PackageError("the types are none that EAS signs", path="sig.types")


def _checked_version(form: Form, sig: dict[str, Any]) -> Form:
    message = sig["message"] if isinstance(sig["message"], dict) else {}
    stated = [sig.get("version", form.version), message.get("version", form.version)]
    if any(type(number) is not int or number != form.version for number in stated):
        raise PackageError("the version contradicts the types", code="version_contradicts", path="sig.version")
    return form


def _message(data: Any, form: Form) -> OffchainMessage:
    salted = form.version >= 2
    data = members(
        data,
        _MESSAGE | ({"version", "salt"} if salted else {"version"} if form.version else set()),
        "message",
        optional=set() if salted else {"salt"} if form.version else {"salt", "version"},
    )
    if not salted and data.get("salt") is not None:
        raise PackageError("this version has no salt", path="message.salt")
    if not isinstance(data["revocable"], bool):
        raise PackageError("expected true or false", path="message.revocable")
    return OffchainMessage(
        schema=canonical_digest_from(data["schema"], "message.schema"),
        recipient=address_from(data["recipient"], "message.recipient"),
        time=unsigned(data["time"], "message.time"),
        expiration_time=unsigned(data["expirationTime"], "message.expirationTime"),
        revocable=data["revocable"],
        ref_uid=digest_from(data["refUID"], "message.refUID"),
        data=from_hex(data["data"], "message.data"),
        salt=Digest(digest_from(data["salt"], "message.salt")) if salted else ZERO_DIGEST,
    )
