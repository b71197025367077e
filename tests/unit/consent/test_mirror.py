"""The mirror in FHIR: valid R4, true to the terms, and silent about what is not the viewer's."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, date, timedelta, timezone
from typing import Any

import pytest

from chartseal import _core
from chartseal.consent import Consent, Exceptions, Grantee, Terms, VerifiedConsent, fhir_consent
from chartseal.fhir.reading import DEFAULT_READING
from chartseal.fhir.validation import validate
from tests.consents import ACT, CUSTODIAN, GLUCOSE, HIV, NOTE, NOW, OTHER, PATIENT, REQUESTER, TERMS

FULL = replace(
    TERMS,
    purposes=frozenset({"TREAT", "HPAYMT"}),
    types=frozenset({"Observation", "Condition"}),
    codes=frozenset({GLUCOSE, "http://snomed.info/sct|73211009"}),
    since=date(2020, 1, 1),
    until=date(2026, 12, 31),
    labels=frozenset({HIV}),
    exceptions=Exceptions(frozenset({"Claim"}), frozenset({"urn:x|1"}), frozenset({f"{ACT}|SUD", f"{ACT}|SEX"})),
)
MANY = [
    TERMS,
    FULL,
    replace(TERMS, grantee=Grantee(role="pharmacy")),
    replace(TERMS, since=date(2020, 1, 1)),
    replace(TERMS, labels=frozenset({NOTE})),
    replace(TERMS, exceptions=Exceptions(types=frozenset({"Claim"}))),
]


def made(terms: Terms = FULL, **options: Any) -> dict[str, Any]:
    consent = VerifiedConsent(Consent.sign(terms, PATIENT).root, terms)
    found = fhir_consent(consent, patient="Patient/p", **{"now": NOW, **options})
    assert found is not None
    return found


@pytest.mark.parametrize("terms", MANY)
@pytest.mark.parametrize("options", [{}, {"document": b"{}"}, {"is_withdrawn": True}])
def test_it_is_r4(terms: Terms, options: dict[str, Any]) -> None:
    text = json.dumps(made(terms, **options)).encode()
    validate(text)
    _core.read_resource(text, **DEFAULT_READING.options())


def test_everything_is_denied_but_what_is_granted_but_what_is_excepted() -> None:
    root = made()["provision"]
    assert root.keys() == {"type", "provision"}
    assert root["type"] == "deny"
    [granted] = root["provision"]
    assert granted["type"] == "permit"
    assert [each["code"] for each in granted["class"]] == ["Condition", "Observation"]
    assert [each["code"] for each in granted["purpose"]] == ["HPAYMT", "TREAT"]
    assert granted["code"][0]["coding"] == [{"system": "http://loinc.org", "code": "2339-0"}]
    assert granted["dataPeriod"] == {"start": "2020-01-01", "end": "2026-12-31"}
    assert granted["period"] == {"start": "2026-11-29T09:00:00+00:00", "end": "2026-12-30T09:00:00+00:00"}
    unnamed, types, codes, labels = granted["provision"]
    assert [each["type"] for each in granted["provision"]] == ["deny"] * 4
    assert unnamed["provision"] == [{"type": "permit", "securityLabel": [{"system": ACT, "code": "HIV"}]}]
    assert [each["code"] for each in types["class"]] == ["Claim"]
    assert codes["code"] == [{"coding": [{"system": "urn:x", "code": "1"}]}]
    assert [each["code"] for each in labels["securityLabel"]] == ["SEX", "SUD"]


def test_what_is_not_said_stands_nowhere() -> None:
    [granted] = made(TERMS)["provision"]["provision"]
    assert granted.keys() == {"type", "period", "actor", "action", "purpose", "provision"}
    [unnamed] = granted["provision"]
    assert unnamed.keys() == {"type", "securityLabel"}


def test_notes_are_permitted_alone() -> None:
    [granted] = made(replace(TERMS, labels=frozenset({NOTE})))["provision"]["provision"]
    assert granted["securityLabel"] == [{"system": ACT, "code": "PSYTHPN"}]


def test_the_status_is_of_its_time() -> None:
    assert made()["status"] == "active"
    assert made(is_withdrawn=True)["status"] == "inactive"
    for now in (TERMS.ends_at, TERMS.begins_at - timedelta(seconds=1)):
        assert made(now=now)["status"] == "inactive"
    assert made(now=TERMS.begins_at.astimezone(timezone(timedelta(hours=9))))["status"] == "active"


def test_the_document_is_attached_for_the_patient() -> None:
    document = Consent.sign(FULL, PATIENT).to_json()
    attached = made(document=document)["sourceAttachment"]
    assert base64.b64decode(attached["data"]) == document
    assert "sourceAttachment" not in made()


def test_a_viewer_sees_what_is_granted_to_it() -> None:
    whole, shown = json.dumps(made()), json.dumps(made(viewer=REQUESTER, document=b"{}"))
    for hidden in ("SUD", "SEX", "Claim", "urn:x", "sourceAttachment"):
        assert hidden not in shown
    for granted in ("HIV", "2339-0", "2020-01-01"):
        assert granted in shown
        assert granted in whole
    validate(shown.encode())


def test_a_consent_for_another_is_not_shown() -> None:
    def shown(terms: Terms, **changes: Any) -> bool:
        consent = VerifiedConsent(Consent.sign(terms, PATIENT).root, terms)
        return fhir_consent(consent, patient="Patient/p", now=NOW, viewer=replace(REQUESTER, **changes)) is not None

    role = replace(FULL, grantee=Grantee(role="hospital"))
    assert shown(FULL)
    assert not shown(FULL, account=OTHER)
    assert not shown(FULL, account=None)
    assert shown(role)
    assert not shown(role, roles=frozenset({"clinic"}))
    assert not shown(role, is_accredited=False)


def test_no_address_of_the_patient_is_in_it() -> None:
    text = json.dumps(made())
    for secret in (str(FULL.patient), FULL.patient.data.hex(), FULL.holder.hex()):
        assert secret not in text
    assert made()["organization"][0]["identifier"]["value"].lower() == "0x" + CUSTODIAN.hex()
    assert made()["dateTime"] == FULL.begins_at.astimezone(UTC).isoformat()
