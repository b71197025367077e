"""A page of an answer, read: the resources as a node tells them, and the answer records that prove what is so.

Of a resource's own text nothing is shown to anybody; it is only held against what its answer record proves.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chartseal import _json
from chartseal.attestation import Digest, digest_from
from chartseal.disclosure import Ground
from chartseal.disclosure.answers import SIGNATURE_FORMAT
from chartseal.errors import AttestationError, PullError

CONSENT_URN, BASIS_URN = "urn:chartseal:consent:", "urn:chartseal:basis:"
"""What Provenance.policy says of why a record is shown: on what basis, and by which consent."""

_TYPE = re.compile(r"[A-Z][A-Za-z]{0,63}", re.ASCII)
_LONGEST_NAME = 2_048
_NOTHING_OF_A_PATIENT = frozenset({"OperationOutcome"})
_CONSENT = "consent"
_NUMBER = "\0number"
"""Stands for a lexeme where values are hashed; no element has such a name."""
_MASKED = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]}
_APART = frozenset({"id", "meta"})
"""What a node says of its copy, and not of the patient."""


class Lexeme(NamedTuple):
    """A number with a fraction or exponent as it is written: 1.0 is not 1.00."""

    text: str


@dataclass(frozen=True, slots=True)
class ToldResource:
    """A resource as a node tells it: worth nothing by itself."""

    resource_type: str
    names: frozenset[str]
    """What a Provenance may call it: its full URL, and its type and id."""
    digest: bytes = field(repr=False)
    """Of what it tells, SHA-256: all that is kept of it."""

    def says(self, verified: str) -> bool:
        """Whether it tells just what is verified (FHIR JSON), number lexemes included, its id and meta apart."""
        return self.digest == _digest(_json.loads(verified, parse_float=Lexeme))


@dataclass(frozen=True, slots=True)
class Proof:
    """An answer record as a Provenance carries it, which resource it is for, and why the record is shown."""

    target: str
    data: bytes = field(repr=False)
    basis: Digest | Ground | None
    """The root of a consent, the custodian's word, or None for what is no basis known here."""


@dataclass(frozen=True, slots=True)
class BundlePage:
    """One page: its resources and proofs in the order of its entries, and where the next page is."""

    resources: tuple[ToldResource, ...]
    proofs: tuple[Proof, ...]
    following: str | None

    @property
    def count(self) -> int:
        """Of resources and proofs."""
        return len(self.resources) + len(self.proofs)


def read_page(body: bytes) -> BundlePage:
    """Read a page.

    Raises:
        PullError: `answer_malformed`: not a Bundle in JSON, or of another shape.
    """
    try:
        bundle = _json.loads(body, parse_float=Lexeme)
    except ValueError as exc:
        raise PullError("the answer is not JSON", "answer_malformed") from exc
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise PullError("the answer is not a Bundle", "answer_malformed")
    resources: list[ToldResource] = []
    proofs: list[Proof] = []
    for at, entry in enumerate(_objects(bundle.get("entry", []), "entry")):
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            raise PullError("an entry has no resource", "answer_malformed", f"entry[{at}]")
        signatures = _sealing(resource)
        if signatures:
            proofs.append(_proof(resource, signatures, f"entry[{at}]"))
        elif str(resource.get("resourceType")) not in _NOTHING_OF_A_PATIENT:
            resources.append(_told(resource, entry.get("fullUrl")))
    return BundlePage(tuple(resources), tuple(proofs), _following(bundle))


def _objects(value: Any, place: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or any(not isinstance(each, dict) for each in value):
        raise PullError("expected a list of objects", "answer_malformed", place)
    return value


def _sealing(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """A Provenance's signatures that are answer records; a clinical Provenance has none."""
    if resource.get("resourceType") != "Provenance":
        return []
    found = _objects(resource.get("signature", []), "signature")
    return [each for each in found if each.get("sigFormat") == SIGNATURE_FORMAT]


def _proof(provenance: dict[str, Any], signatures: list[dict[str, Any]], place: str) -> Proof:
    targets = _objects(provenance.get("target", []), f"{place} target")
    if len(targets) != 1 or len(signatures) != 1:
        raise PullError("a seal's Provenance has one target and one signature", "answer_malformed", place)
    reference, text = targets[0].get("reference"), signatures[0].get("data")
    if not isinstance(reference, str) or len(reference) > _LONGEST_NAME or not isinstance(text, str):
        raise PullError("a seal's Provenance names its target, and has its data", "answer_malformed", place)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise PullError("not base64", "answer_malformed", f"{place} signature") from exc
    return Proof(reference.split("/_history/")[0], data, _basis(provenance.get("policy")))


def _basis(policy: Any) -> Digest | Ground | None:
    """Why the record is shown; None where that is not said in a way that is known here."""
    uris = [uri for uri in policy if isinstance(uri, str)] if isinstance(policy, list) else []
    bases = [uri.removeprefix(BASIS_URN) for uri in uris if uri.startswith(BASIS_URN)]
    roots = [uri.removeprefix(CONSENT_URN) for uri in uris if uri.startswith(CONSENT_URN)]
    try:
        if bases == [_CONSENT] and len(roots) == 1:
            return digest_from(roots[0], "policy")
        return Ground(bases[0]) if len(bases) == 1 and not roots else None
    except (AttestationError, ValueError):
        return None


def _told(resource: dict[str, Any], full_url: Any) -> ToldResource:
    stated, named = resource.get("resourceType"), resource.get("id")
    resource_type = stated if isinstance(stated, str) and _TYPE.fullmatch(stated) else "?"
    names = {f"{resource_type}/{named}"} if isinstance(named, str) else set()
    if isinstance(full_url, str):
        names.add(full_url)
    return ToldResource(resource_type, frozenset(names), _digest(resource))


def _digest(resource: Mapping[str, Any]) -> bytes:
    """Of a resource's members in any order, its id and meta apart."""
    told = {name: _plain(value) for name, value in resource.items() if name not in _APART and value != _MASKED}
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).digest()


def _plain(value: Any) -> Any:
    """A value without what says that a required element is withheld, or was never there: only verifying adds it."""
    if isinstance(value, Lexeme):
        return {_NUMBER: value.text}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items() if each != _MASKED}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _following(bundle: dict[str, Any]) -> str | None:
    links = [each for each in _objects(bundle.get("link", []), "link") if each.get("relation") == "next"]
    if not links:
        return None
    url = links[0].get("url")
    if len(links) > 1 or not isinstance(url, str) or not url:
        raise PullError("a page has one next page", "answer_malformed", "link")
    return url
