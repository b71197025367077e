"""Verified facts: FHIR resources with only what was opened, each with a Provenance that carries its seal."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from chartseal.attestation import VerifiedAttestation, checksum_address, packages, to_hex
from chartseal.attestation.offchain import UnverifiedPackage
from chartseal.verification.content import Content

SEAL_FORMAT = "application/chartseal+json"
KEY_SYSTEM = "urn:chartseal:1:key"
"""System of identifiers that are keys: a record's one-time subject, a proxy's; packed, 32 bytes in hex."""
UNOPENED_URL = "urn:chartseal:1:unopened"
"""Extension of the Provenance: a position of a list that exists in the record and is not opened."""

_SIGNATURE_TYPE = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.14"}
"""Source signature (hl7.org/fhir/R4/valueset-signature-type.html)."""
_DELEGATEE = {"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "DELEGATEE"}
_URI = "urn:ietf:rfc:3986"
_LINKED = re.compile(r"(?:https?://|urn:(?:uuid|oid):)[\x21-\x7e]+", re.ASCII)
_TWIN = re.compile(r"\._([A-Za-z][A-Za-z0-9]*(?:\[[0-9]+\])?)", re.ASCII)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+", re.ASCII)


@dataclass(frozen=True)
class Fact:
    """One verified resource: FHIR R4 JSON as it was sealed, number lexemes included, tagged SUBSETTED."""

    full_url: str
    """The resource's URL, where it is opened, else a urn:uuid of the seal's identity."""
    text: str = field(repr=False)
    provenance: dict[str, Any] = field(repr=False)
    unopened: tuple[str, ...] = ()
    """Positions of lists that are not opened, by the record's indices: `Observation.component[0]`."""

    @property
    def resource(self) -> dict[str, Any]:
        """The resource parsed, decimals as Decimal."""
        parsed: dict[str, Any] = json.loads(self.text, parse_float=Decimal)
        return parsed


class Links:
    """Which records of a disclosure name which: an issuer speaks of its own resources alone.

    Any issuer may state any `chartseal.fullUrl`. So a reference means a record of its own issuer or none, and a URL
    that another issuer's reference names, or two records state (two versions of a resource), names no record here.
    """

    def __init__(self, contents: Sequence[Content], attesters: Sequence[bytes]) -> None:
        """Take all records' contents and who sealed them."""
        pairs = list(zip(contents, attesters, strict=True))
        self._stated = Counter(url for content in contents if (url := content.text("fullUrl")))
        self._shown = {(attester, content.text("fullUrl")) for content, attester in pairs}
        self._namers: dict[str, set[bytes]] = {}
        for content, attester in pairs:
            for _, url in _references(content):
                self._namers.setdefault(url, set()).add(attester)

    def full_url(self, content: Content, seal: VerifiedAttestation) -> str:
        """The URL that the record states, where nothing else could be meant by it, else a urn:uuid of the seal."""
        stated = content.text("fullUrl")
        own = self._stated[stated] == 1 and self._namers.get(stated, set()) <= {seal.attester}
        return stated if own and _LINKED.fullmatch(stated) else _urn(seal)

    def targets_not_shown(self, content: Content, seal: VerifiedAttestation) -> tuple[str, ...]:
        """Names of opened references (into the record itself excepted) whose target no record of the issuer is."""
        return tuple(name for name, url in _references(content) if (seal.attester, url) not in self._shown)


def fact(content: Content, seal: VerifiedAttestation, issuer: str, links: Links, proxy: bytes | None = None) -> Fact:
    """The fact of one record whose every step has held; `proxy` is the key that signed in the holder's place."""
    full_url = links.full_url(content, seal)
    provenance = _provenance(content, seal, issuer, full_url)
    if proxy is not None:
        provenance["agent"].append(_proxy(proxy, content.word("subject")))
    return Fact(full_url, content.resource, provenance, content.unopened)


def _proxy(key: bytes, subject: bytes) -> dict[str, Any]:
    """The agent that showed the record for its holder, both named by their keys."""
    who, holder = ({"identifier": {"system": KEY_SYSTEM, "value": to_hex(each)}} for each in (key, subject))
    return {"role": [{"coding": [_DELEGATEE]}], "who": who, "onBehalfOf": holder}


def _urn(seal: VerifiedAttestation) -> str:
    """One name for one seal: its identity is (attester, uid)."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'chartseal {seal.attester.hex()} {seal.uid.hex()}')}"


def _provenance(content: Content, seal: VerifiedAttestation, issuer: str, full_url: str) -> dict[str, Any]:
    recorded = datetime.fromtimestamp(seal.message.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    account = f"did:pkh:eip155:{seal.domain.chain_id}:{checksum_address(seal.attester)}"
    who = {"identifier": {"system": _URI, "value": account}, **({"display": issuer} if issuer else {})}
    unopened = [{"url": UNOPENED_URL, "valueString": position} for position in content.unopened]
    return {
        "resourceType": "Provenance",
        **({"extension": unopened} if unopened else {}),
        "target": [{"reference": full_url}],
        "recorded": recorded,
        "agent": [{"who": who}],
        "signature": [
            {
                "type": [_SIGNATURE_TYPE],
                "when": recorded,
                "who": who,
                "sigFormat": SEAL_FORMAT,
                "data": base64.b64encode(_seal_json(seal)).decode(),
            }
        ],
    }


def _seal_json(seal: VerifiedAttestation) -> bytes:
    package = UnverifiedPackage(seal.form, seal.domain, seal.message, seal.uid, seal.signature, seal.attester)
    return json.dumps(packages.to_json(package), separators=(",", ":")).encode()


def values_not_shown(content: Content) -> tuple[str, ...]:
    """Elements whose `_` twin is opened without a value: the record has none there, or its holder withheld it.

    Nothing that is opened tells the two apart: a twin's names do not say whether it stands beside a value. Where the
    element lies in a travelling slot the count does, and step 4 refuses.
    """
    names = {each.name.split("+")[0] for each in content.fields if not each.name.startswith("chartseal.")}
    found = {name[: step.start()] + "." + step[1] for name in names for step in _TWIN.finditer(name)}
    return tuple(sorted(found - names))


def _references(content: Content) -> list[tuple[str, str]]:
    """(name, URL) of each opened reference but those into the record itself: absolute ones as they are, relative ones
    against the record's own opened `chartseal.fullUrl`.
    """
    own = content.text("fullUrl")
    base = own.removesuffix("/".join(own.split("/")[-2:])) if own.startswith(("http://", "https://")) else ""
    return [
        (each.name, _resolved(each.value.split("/_history/")[0], base))
        for each in content.fields
        if each.name.split("+")[0].endswith(".reference")
        and isinstance(each.value, str)
        and not each.value.startswith("#")
    ]


def _resolved(reference: str, base: str) -> str:
    return reference if _ABSOLUTE.fullmatch(reference) or not base else base + reference


def bundle(facts: Sequence[Fact]) -> str:
    """All facts and their Provenances as one Bundle of type collection; the facts' texts enter as they are."""
    entries: list[str] = []
    for each in facts:
        entries.append(_entry(each.full_url, each.text))
        name = uuid.uuid5(uuid.NAMESPACE_OID, "chartseal provenance " + each.provenance["signature"][0]["data"])
        provenance = json.dumps(each.provenance, ensure_ascii=False, separators=(",", ":"))
        entries.append(_entry(f"urn:uuid:{name}", provenance))
    return f'{{"resourceType":"Bundle","type":"collection","entry":[{",".join(entries)}]}}'


def _entry(full_url: str, resource: str) -> str:
    return f'{{"fullUrl":{json.dumps(full_url)},"resource":{resource}}}'
