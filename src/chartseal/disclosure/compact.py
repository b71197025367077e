"""The disclosure as text for QR codes and messages: `CS1:` and base45 of a deflated compact list.

Base45 keeps to the characters of a QR code's alphanumeric mode (RFC 9285). The list drops what the format states
anyway; what is read is expanded and goes through the same strict reading as JSON.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

import base45  # type: ignore[import-untyped]  # it ships no types

from chartseal.attestation import links, packages
from chartseal.attestation.hexes import to_hex
from chartseal.disclosure.form import (
    FORMAT,
    KIND,
    LARGEST_DISCLOSURE,
    UnverifiedDisclosure,
    UnverifiedRecord,
    strict_json,
)
from chartseal.errors import AttestationError, DisclosureFormError, SignatureError

PREFIX = "CS1:"
LONGEST_TEXT = 1 << 24
"""Characters that the text form may have."""

_ITEMS, _RECORD_ITEMS = 5, 6
"""Items of a disclosure's list, to which a presentation adds its binding, and of a record's, to which a proxy's adds
its delegation."""
_BINDING = ("holderNonce", "chain", "contract", "payee", "purpose", "period")
_DELEGATION = ("proxy", "audience", "notBefore", "expiry", "majority", "signature")


def to_text(disclosure: UnverifiedDisclosure) -> str:
    """`CS1:` and the compact list, deflated, in base45."""
    items = [
        disclosure.audience,
        to_hex(disclosure.nonce),
        disclosure.expiry,
        [_compact(record) for record in disclosure.records],
        [proof.to_json() for proof in disclosure.proofs],
    ]
    if disclosure.binding is not None:
        members = disclosure.binding.to_json()
        items.append([members[name] for name in _BINDING])
    text = json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()
    return PREFIX + str(base45.b45encode(zlib.compress(text, 9)).decode("ascii"))


def _compact(record: UnverifiedRecord) -> list[Any]:
    proof = record.multiproof.to_json()
    items = [
        links.to_compact(record.package),
        [[leaf["type"], leaf["name"], leaf["value"], leaf["salt"]] for leaf in proof["leaves"]],
        proof["proof"],
        "".join("1" if flag else "0" for flag in proof["proofFlags"]),
        to_hex(record.signature),
        dict(record.detached),
    ]
    if record.delegation is not None:
        members = record.delegation.to_json()
        items.append([members[name] for name in _DELEGATION])
    return items


def from_text(text: str) -> UnverifiedDisclosure:
    """Read the text form.

    Raises:
        DisclosureFormError: no such text, `limit_exceeded`, or as `UnverifiedDisclosure.from_json`.
    """
    items = strict_json(_inflated(text.strip()))
    if not isinstance(items, list) or not _ITEMS <= len(items) <= _ITEMS + 1 or not isinstance(items[3], list):
        raise DisclosureFormError(f"expected a compact list of {_ITEMS}, of a presentation {_ITEMS + 1}")
    audience, nonce, expiry, records, proofs = items[:_ITEMS]
    return UnverifiedDisclosure.from_json(
        {
            "format": FORMAT,
            "kind": KIND,
            "audience": audience,
            "nonce": nonce,
            "expiry": expiry,
            "records": [_expanded(record, f"records[{at}]") for at, record in enumerate(records)],
            "proofs": proofs,
            **({"binding": _named(_BINDING, items[_ITEMS], "binding")} if len(items) > _ITEMS else {}),
        }
    )


def _named(names: Sequence[str], items: Any, place: str) -> dict[str, Any]:
    if not isinstance(items, list) or len(items) != len(names):
        raise DisclosureFormError(f"expected a compact list of {len(names)}", path=place)
    return dict(zip(names, items, strict=True))


def _inflated(text: str) -> bytes:
    if not text.startswith(PREFIX):
        raise DisclosureFormError(f"expected a text that begins with {PREFIX}")
    if len(text) > LONGEST_TEXT:
        raise DisclosureFormError("the text is too long", "limit_exceeded")
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(base45.b45decode(text[len(PREFIX) :]), LARGEST_DISCLOSURE)
    except (ValueError, zlib.error) as exc:
        raise DisclosureFormError("the text is not base45 of deflated bytes") from exc
    if inflater.unconsumed_tail:
        raise DisclosureFormError("the text inflates to too much", "limit_exceeded")
    if not inflater.eof or inflater.unused_data:
        raise DisclosureFormError("the text is cut off, or has more after its end")
    return found


def _expanded(items: Any, place: str) -> dict[str, Any]:
    if not isinstance(items, list) or not _RECORD_ITEMS <= len(items) <= _RECORD_ITEMS + 1:
        raise DisclosureFormError(
            f"expected a compact list of {_RECORD_ITEMS}, of a proxy {_RECORD_ITEMS + 1}", path=place
        )
    seal, leaves, siblings, flags, signature, detached = items[:_RECORD_ITEMS]
    if not isinstance(leaves, list) or any(not isinstance(leaf, list) or len(leaf) != 4 for leaf in leaves):
        raise DisclosureFormError("a leaf is a list of type, name, value and salt", path=place)
    if not isinstance(flags, str) or not set(flags) <= {"0", "1"}:
        raise DisclosureFormError("flags are a text of 0 and 1", path=place)
    try:
        package = packages.to_json(links.from_compact(seal))
    except (AttestationError, SignatureError) as exc:
        raise DisclosureFormError(exc.detail, exc.code, place) from exc
    record: dict[str, Any] = {
        "seal": package,
        "multiproof": {
            "leaves": [dict(zip(("type", "name", "value", "salt"), leaf, strict=True)) for leaf in leaves],
            "proof": siblings,
            "proofFlags": [flag == "1" for flag in flags],
        },
        "signature": signature,
    }
    if detached != {}:
        record["detached"] = detached
    if len(items) > _RECORD_ITEMS:
        record["delegation"] = _named(_DELEGATION, items[_RECORD_ITEMS], f"{place} delegation")
    return record
