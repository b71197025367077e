"""A consent as FHIR R4 says it: everything is denied, but what it permits, but what it excepts.

A mirror for people and other systems: decisions are made by the signed terms alone. Source:
hl7.org/fhir/R4/consent.html: the root provision is the base rule, nested ones its exceptions, each of the other type.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from chartseal.attestation import Address, checksum_address, to_hex
from chartseal.consent.document import VerifiedConsent
from chartseal.consent.requests import Requester
from chartseal.consent.terms import Exceptions, Terms
from chartseal.consent.vocabulary import ACT_CODE, ACT_REASON, CONFIDENTIALITY, RESOURCE_TYPES, is_note

ROOT_SYSTEM = "urn:chartseal:1:consent"
"""System of identifiers that are consents' roots, 32 bytes in hex."""
ACCOUNT_SYSTEM = "urn:chartseal:1:account"
"""System of identifiers that are accounts, 20 bytes in hex with EIP-55's checksum."""

_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
_ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_LOINC = "http://loinc.org"
_RESTRICTED = ("R", "V")


def fhir_consent(
    consent: VerifiedConsent,
    *,
    patient: str,
    now: datetime,
    is_withdrawn: bool = False,
    document: bytes | None = None,
    viewer: Requester | None = None,
) -> dict[str, Any] | None:
    """The Consent resource. `patient` is a FHIR reference to her; `document` the signed JSON, to be attached.

    Without a `viewer` it is whole, for the patient and the custodian. A viewer is shown what is granted to it, neither
    exceptions nor the document, which tell what a patient has to hide; a consent that is for another is None.
    """
    terms = consent.terms
    if viewer is not None and not _is_for(terms, viewer):
        return None
    resource: dict[str, Any] = {
        "resourceType": "Consent",
        "id": consent.root.hex(),
        "identifier": [{"system": ROOT_SYSTEM, "value": to_hex(consent.root)}],
        "status": "active" if consent.is_in_force(now) and not is_withdrawn else "inactive",
        "scope": _concept(_SCOPE, "patient-privacy"),
        "category": [_concept(_LOINC, "59284-0")],
        "patient": {"reference": patient},
        "dateTime": terms.begins_at.isoformat(),
        "organization": [_account(terms.custodian)],
        "policyRule": _concept(ACT_CODE, "OPTOUTE"),
        "provision": {"type": "deny", "provision": [_granted(terms, Exceptions() if viewer else terms.exceptions)]},
    }
    if document is not None and viewer is None:
        data = base64.b64encode(document).decode()
        resource["sourceAttachment"] = {"contentType": "application/chartseal+json", "data": data}
    return resource


def _is_for(terms: Terms, viewer: Requester) -> bool:
    roles = viewer.roles if viewer.is_accredited else frozenset()
    return terms.grantee.is_one_of(viewer.account, roles)


def _granted(terms: Terms, exceptions: Exceptions) -> dict[str, Any]:
    """What is permitted, with what is not beneath."""
    notes = sorted(each for each in terms.labels if is_note(each))
    provision: dict[str, Any] = {
        "type": "permit",
        "period": {"start": terms.begins_at.isoformat(), "end": terms.ends_at.isoformat()},
        "actor": [{"role": _concept(_PARTICIPATION, "IRCP"), "reference": _grantee(terms)}],
        "action": [_concept(_ACTION, "disclose")],
        "securityLabel": _codings(notes),
        "purpose": [{"system": ACT_REASON, "code": code} for code in sorted(terms.purposes)],
        "class": _classes(terms.types),
        "code": [{"coding": [each]} for each in _codings(terms.codes)],
        "dataPeriod": _days(terms),
        "provision": [_unnamed(terms.labels), *_excepted(exceptions)],
    }
    return {name: value for name, value in provision.items() if value}


def _unnamed(labels: Iterable[str]) -> dict[str, Any]:
    """Restricted records are denied, but those whose labels are named."""
    denied: dict[str, Any] = {
        "type": "deny",
        "securityLabel": [{"system": CONFIDENTIALITY, "code": code} for code in _RESTRICTED],
    }
    if named := _codings(labels):
        denied["provision"] = [{"type": "permit", "securityLabel": named}]
    return denied


def _excepted(exceptions: Exceptions) -> list[dict[str, Any]]:
    """A denial for each kind of exception: the members of one provision hold together, and these hold each alone."""
    denials = (
        {"class": _classes(exceptions.types)},
        {"code": [{"coding": [each]} for each in _codings(exceptions.codes)]},
        {"securityLabel": _codings(exceptions.labels)},
    )
    return [{"type": "deny", **each} for each in denials if any(each.values())]


def _grantee(terms: Terms) -> dict[str, Any]:
    account = terms.grantee.account
    if account is not None:
        return _account(account)
    return {"display": f"whoever is accredited as {terms.grantee.role}"}


def _account(account: Address) -> dict[str, Any]:
    return {"identifier": {"system": ACCOUNT_SYSTEM, "value": checksum_address(account)}}


def _days(terms: Terms) -> dict[str, str]:
    days = {"start": terms.since, "end": terms.until}
    return {name: day.isoformat() for name, day in days.items() if day is not None}


def _classes(types: Iterable[str]) -> list[dict[str, str]]:
    return [{"system": RESOURCE_TYPES, "code": each} for each in sorted(types)]


def _codings(coded: Iterable[str]) -> list[dict[str, str]]:
    parts = (each.rpartition("|") for each in sorted(coded))
    return [{"system": system, "code": code} for system, _, code in parts]


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}
