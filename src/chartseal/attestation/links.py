"""Links that carry a whole off-chain package: a compact list, deflated, in base64, behind `#attestation=`.

Source: eas-sdk 2.10 offchain-utils.ts. Its list forgets which of the two legacy structs was signed, so its own reading
of a version 0 link never verifies; here the one whose signature is the signer's is taken.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

from chartseal import _json
from chartseal.attestation import packages
from chartseal.attestation.hexes import ZERO_ADDRESS, ZERO_DIGEST, checksum_address, to_hex
from chartseal.attestation.networks import OFFCHAIN_NAME
from chartseal.attestation.offchain import Form, UnverifiedPackage, recover, type_table
from chartseal.errors import PackageError, SignatureError

LONGEST_LINK = 1 << 20
"""Characters that a link may have; what it inflates to may have `packages.LARGEST_PACKAGE` bytes."""

_PATH = "/offchain/url/#attestation="
_OLD_LENGTH, _LENGTH = 16, 18


def to_compact(package: UnverifiedPackage) -> list[Any]:
    """The SDK's compact list of 18."""
    message, domain, signature = package.message, package.domain, packages.signature_to_json(package.signature)
    return [
        domain.version,
        str(domain.chain_id),
        checksum_address(domain.contract),
        signature["r"],
        signature["s"],
        signature["v"],
        checksum_address(package.signer),
        to_hex(package.uid),
        to_hex(message.schema),
        "0" if message.recipient == ZERO_ADDRESS else checksum_address(message.recipient),
        message.time,
        message.expiration_time,
        "0" if message.ref_uid == ZERO_DIGEST else to_hex(message.ref_uid),
        message.revocable,
        to_hex(message.data),
        0,
        package.form.version,
        to_hex(message.salt) if package.form is Form.VERSION2 else None,
    ]


def from_compact(items: Any) -> UnverifiedPackage:
    """Read a compact list of 16 (before versions), 17 or 18.

    Raises:
        PackageError: malformed.
    """
    if not isinstance(items, list) or not _OLD_LENGTH <= len(items) <= _LENGTH:
        raise PackageError("expected a compact list of 16 to 18", path="compact")
    items = items + [None] * (_LENGTH - len(items))
    package = packages.from_json(_expanded(items, _form(items[16] or 0)))
    if package.form is not Form.LEGACY:
        return package
    return _signed_legacy(package)


def _form(version: Any) -> Form:
    forms = {0: Form.LEGACY, 1: Form.VERSION1, 2: Form.VERSION2}
    if isinstance(version, bool) or not isinstance(version, int) or version not in forms:
        raise PackageError("no such version of off-chain attestations", path="compact[16]")
    return forms[version]


def _expanded(items: list[Any], form: Form) -> dict[str, Any]:
    message = {
        "version": form.version,
        "schema": items[8],
        "recipient": to_hex(ZERO_ADDRESS) if items[9] == "0" else items[9],
        "time": items[10],
        "expirationTime": items[11],
        "refUID": to_hex(ZERO_DIGEST) if items[12] == "0" else items[12],
        "revocable": items[13],
        "data": items[14],
        "salt": items[17],
    }
    domain = {"name": OFFCHAIN_NAME, "version": items[0], "chainId": items[1], "verifyingContract": items[2]}
    sig = {
        "version": form.version,
        "uid": items[7],
        "domain": domain,
        "primaryType": form.primary_type,
        "message": message,
        "types": {form.primary_type: type_table(form)},
        "signature": {"r": items[3], "s": items[4], "v": items[5]},
    }
    return {"sig": sig, "signer": items[6]}


def _signed_legacy(package: UnverifiedPackage) -> UnverifiedPackage:
    """The legacy form that the signer signed; where neither fits, the newer one, to fail where it is verified."""
    older = replace(package, form=Form.LEGACY_ATTEST)
    try:
        recover(older)
    except SignatureError:
        return package
    return older


def to_base64(package: UnverifiedPackage) -> str:
    """The compact list as deflated JSON in base64."""
    text = json.dumps(to_compact(package), separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def from_base64(text: str) -> UnverifiedPackage:
    """Read what `to_base64` or the SDK wrote.

    Raises:
        PackageError: too long before or after inflating, not base64, not deflated, not JSON, or malformed inside.
    """
    if len(text) > LONGEST_LINK:
        raise PackageError("the link is too long", code="package_size")
    try:
        deflated = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as exc:
        raise PackageError("the link is not base64") from exc
    return from_compact(_parsed(_inflate(deflated)))


def _inflate(deflated: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(deflated, packages.LARGEST_PACKAGE)
    except zlib.error as exc:
        raise PackageError("the link does not inflate") from exc
    if inflater.unconsumed_tail:
        raise PackageError("the link inflates to too much", code="package_size")
    if not inflater.eof or inflater.unused_data:
        raise PackageError("the link does not inflate")
    return data


def _parsed(data: bytes) -> Any:
    try:
        return _json.loads(data)
    except ValueError as exc:
        raise PackageError("the link holds no JSON") from exc


def to_url(package: UnverifiedPackage, origin: str = "") -> str:
    """The SDK's path `/offchain/url/#attestation=…`, behind an origin if one is given."""
    return f"{origin}{_PATH}{quote(to_base64(package), safe='')}"


def from_url(url: str) -> UnverifiedPackage:
    """Read the package in a link of any origin.

    Raises:
        PackageError: no such link, or as `from_base64`.
    """
    if len(url) > LONGEST_LINK:
        raise PackageError("the link is too long", code="package_size")
    _, found, encoded = url.partition("#attestation=")
    if not found:
        raise PackageError("the link carries no attestation")
    return from_base64(unquote(encoded))
