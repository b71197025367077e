"""Lies by selection: for each row of table A, what would mislead cannot be made, and is refused when it is forged."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chartseal import _core
from chartseal.disclosure import HeldRecord, UnverifiedDisclosure, UnverifiedRecord, select
from chartseal.errors import ContentError
from chartseal.record import Field, open_along
from chartseal.sealing import SealedRecord
from chartseal.verification import TrustedIssuer, TrustPolicy, VerifiedDisclosure, verify
from tests.charts import (
    AUDIENCE,
    DOMAIN,
    EXPIRES_AT,
    HOLDER,
    ISSUER,
    NONCE,
    NOW,
    names_of,
    sealed,
    vector_record,
    vectors,
)
from tests.rows import Row, rows, sample

POLICY = TrustPolicy(issuers=(TrustedIssuer(ISSUER, "Example hospital"),), domains=frozenset({DOMAIN}))


def forged(record: HeldRecord, names: set[str]) -> UnverifiedDisclosure:
    """What a dishonest holder can make: a correct multiproof of any leaves, signed with the record's own key."""
    positions = [at for at, value in enumerate(record.private_data.values) if value.name in names]
    shown = UnverifiedRecord(record.package, record.private_data.multiproof(positions), bytes(64))
    given = UnverifiedDisclosure(AUDIENCE, NONCE, int(EXPIRES_AT.timestamp()), (shown,))
    signature = HOLDER.sign_disclosure(
        record.enc, record.subject, given.digest(), audience=AUDIENCE, nonce=NONCE, expiry=given.expiry
    )
    return replace(given, records=(replace(shown, signature=signature),))


def check(disclosure: UnverifiedDisclosure) -> VerifiedDisclosure:
    return verify(disclosure, POLICY, audience=AUDIENCE, nonce=NONCE, now=NOW)


def opened(record: SealedRecord, *chosen: str) -> set[str]:
    return {each.name for each in open_along(record.resource_type, record.fields, chosen)}


def refusal(record: HeldRecord, names: set[str]) -> str:
    """The code with which step 4 refuses a forged opening; every other outcome fails the test."""
    with pytest.raises(ContentError) as caught:
        check(forged(record, names))
    return caught.value.code


def exercise(row: Row) -> str:
    """Open the field beside the slot: the slot's come along, and dropping any of them is refused."""
    made = sample(row)
    if made is None:
        return "unreachable"
    record = sealed(made.resource_type, made.fields)
    names = opened(record, made.beside)
    if not row.travels:
        assert not set(made.inside) & names, f"{row.container} {row.slot}: told, yet it travels"
        result = check(forged(record, names))
        state = {slot.name: slot.state for each in result.records[0].containers for slot in each.slots if slot.fields}
        assert state[row.slot] == "withheld"
        return "withheld"
    assert set(made.inside) <= names, f"{row.container} {row.slot}: stays behind"
    for name in made.inside:
        refusal(record, names - {name})
    return refusal(record, names - set(made.inside))


def test_every_row_of_table_a() -> None:
    outcomes = {row: exercise(row) for row in rows()}
    codes = Counter(outcomes.values())
    print(f"table A: {codes.total() - codes['unreachable']} of {len(rows())} rows exercised: {dict(codes)}")
    # No record can have these: the resource's own row lets all of `recommendation` travel, so none is a container.
    unreachable = {row.container for row, outcome in outcomes.items() if outcome == "unreachable"}
    assert unreachable == {"ImmunizationRecommendation.recommendation"}
    assert codes["unreachable"] == 2
    assert set(codes) <= {"slots_partly_shown", "contained_type_hidden", "withheld", "unreachable"}
    assert codes["slots_partly_shown"] > 1_000


@pytest.mark.long
def test_each_travelling_field_of_real_records(shared: Path, drill_scale: float) -> None:
    chooser, codes, tried = random.Random(7), Counter[str](), 0
    for name in vectors(shared):
        record = vector_record(shared, name)
        for chosen in one_field_of_each_container(record):
            names = opened(record, chosen)
            for left_out in sorted(names - {chosen}):
                if chooser.random() < max(drill_scale, 0.03):
                    codes[refusal_or_told(record, names, left_out)] += 1
                    tried += 1
    print(f"real records: {tried} openings without one field, all refused: {dict(codes)}")
    assert tried > 100


def refusal_or_told(record: SealedRecord, names: set[str], left_out: str) -> str:
    """A value may be missing beside its twin, since some primitives have none: then the result says so."""
    plain, _, twins = left_out.partition("+")
    try:
        result = check(forged(record, names - {left_out}))
    except ContentError as refused:
        return refused.code
    assert twins, f"{left_out} stays behind and nobody notices"
    assert plain in result.records[0].values_not_shown
    return "told as not shown"


def one_field_of_each_container(record: SealedRecord) -> Iterator[str]:
    seen: set[frozenset[str]] = set()
    for each in record.fields:
        if not each.name.startswith("chartseal."):
            slots = frozenset(name for name in opened(record, each.name) if name.startswith("chartseal.slots."))
            if slots not in seen:
                seen.add(slots)
                yield each.name


def concept(*codes: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://snomed.info/sct", "code": code} for code in codes]}


def status(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


PATIENT = {"reference": "Patient/p"}
LOINC = {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}


class Lie(NamedTuple):
    resource: dict[str, Any]
    shown: str
    """What the liar opens."""
    hidden: str
    """Prefix of what tells the truth."""


LIES = {
    "a refuted allergy as an allergy": Lie(
        {
            "resourceType": "AllergyIntolerance",
            "clinicalStatus": status("allergyintolerance-clinical", "active"),
            "verificationStatus": status("allergyintolerance-verification", "refuted"),
            "code": concept("91936005"),
            "patient": PATIENT,
        },
        "AllergyIntolerance.code",
        "AllergyIntolerance.verificationStatus",
    ),
    "a value without its comparator": Lie(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": LOINC,
            "valueQuantity": {"value": 5, "comparator": "<", "unit": "ng/L"},
        },
        "Observation.value.value",
        "Observation.valueQuantity.comparator",
    ),
    "one of six codings": Lie(
        {"resourceType": "Condition", "subject": PATIENT, "code": concept("1", "2", "3", "4", "5", "6")},
        "Condition.code.coding[0]",
        "Condition.code.coding[5]",
    ),
    "a mother's cancer as one's own": Lie(
        {
            "resourceType": "FamilyMemberHistory",
            "status": "completed",
            "patient": PATIENT,
            "relationship": status("v3-RoleCode", "MTH"),
            "condition": [{"code": concept("254837009")}],
        },
        "FamilyMemberHistory.condition.code",
        "FamilyMemberHistory.relationship",
    ),
    "an order as done": Lie(
        {
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "proposal",
            "code": concept("73761001"),
            "subject": PATIENT,
        },
        "ServiceRequest.code",
        "ServiceRequest.intent",
    ),
    "an order not to do as an order": Lie(
        {
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "order",
            "doNotPerform": True,
            "code": concept("73761001"),
            "subject": PATIENT,
        },
        "ServiceRequest.code",
        "ServiceRequest.doNotPerform",
    ),
    "the systolic pressure as another": Lie(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "Blood pressure"},
            "component": [
                {"code": LOINC, "valueQuantity": {"value": 120}},
                {"code": concept("271650006"), "valueQuantity": {"value": 80}},
            ],
        },
        "Observation.component[0].value",
        "Observation.component[0].code",
    ),
    "a component without what was observed": Lie(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "Blood pressure"},
            "component": [{"code": LOINC, "valueQuantity": {"value": 120}}],
        },
        "Observation.component[0].value",
        "Observation.code",
    ),
    "an entered-in-error result as a result": Lie(
        {"resourceType": "Observation", "status": "entered-in-error", "code": LOINC, "valueString": "positive"},
        "Observation.value",
        "Observation.status",
    ),
    "a fetus's result as the mother's": Lie(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": LOINC,
            "subject": PATIENT,
            "focus": [{"reference": "Patient/fetus"}],
            "valueString": "positive",
        },
        "Observation.value",
        "Observation.focus",
    ),
    "a value that is absent": Lie(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": LOINC,
            "dataAbsentReason": status("data-absent-reason", "error"),
        },
        "Observation.code",
        "Observation.dataAbsentReason",
    ),
    "a vaccine that was not given": Lie(
        {
            "resourceType": "Immunization",
            "status": "not-done",
            "vaccineCode": concept("1119349007"),
            "patient": PATIENT,
            "occurrenceDateTime": "2026-01-01",
        },
        "Immunization.vaccineCode",
        "Immunization.status",
    ),
    "a resolved condition as a present one": Lie(
        {
            "resourceType": "Condition",
            "clinicalStatus": status("condition-clinical", "resolved"),
            "subject": PATIENT,
            "code": concept("38341003"),
        },
        "Condition.code",
        "Condition.clinicalStatus",
    ),
    "a drug that a patient does not take": Lie(
        {
            "resourceType": "MedicationStatement",
            "status": "not-taken",
            "subject": PATIENT,
            "medicationCodeableConcept": concept("387003001"),
        },
        "MedicationStatement.medication",
        "MedicationStatement.status",
    ),
    "a contained drug that was entered in error": Lie(
        {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "subject": PATIENT,
            "contained": [
                {"resourceType": "Medication", "id": "m", "status": "entered-in-error", "code": concept("1")}
            ],
            "medicationReference": {"reference": "#m"},
        },
        "MedicationRequest.medication",
        "MedicationRequest.contained[0].status",
    ),
    "an excluded trait as a trait": Lie(
        {
            "resourceType": "Group",
            "type": "person",
            "actual": True,
            "characteristic": [{"code": concept("1"), "valueBoolean": True, "exclude": True}],
        },
        "Group.characteristic[0].value",
        "Group.characteristic[0].exclude",
    ),
    "a deleted entry of a list": Lie(
        {
            "resourceType": "List",
            "status": "current",
            "mode": "changes",
            "entry": [{"deleted": True, "item": {"reference": "Condition/c"}}],
        },
        "List.entry[0].item",
        "List.entry[0].deleted",
    ),
    "a planned visit as a visit": Lie(
        {
            "resourceType": "Encounter",
            "status": "planned",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": PATIENT,
        },
        "Encounter.class",
        "Encounter.status",
    ),
    "a goal's rejected state": Lie(
        {"resourceType": "Goal", "lifecycleStatus": "rejected", "description": concept("1"), "subject": PATIENT},
        "Goal.description",
        "Goal.lifecycleStatus",
    ),
    "a coverage that was cancelled": Lie(
        {
            "resourceType": "Coverage",
            "status": "cancelled",
            "beneficiary": PATIENT,
            "payor": [{"display": "Example payer"}],
            "type": concept("1"),
        },
        "Coverage.payor",
        "Coverage.status",
    ),
    "a claim as a predetermination": Lie(
        {
            "resourceType": "Claim",
            "status": "active",
            "use": "predetermination",
            "type": concept("1"),
            "patient": PATIENT,
            "created": "2026-01-01",
            "provider": {"display": "Example"},
            "priority": concept("2"),
            "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "Example"}}],
            "item": [{"sequence": 1, "productOrService": concept("3"), "net": {"value": 10.50, "currency": "EUR"}}],
        },
        "Claim.item[0].net",
        "Claim.use",
    ),
    "an amount without its currency": Lie(
        {
            "resourceType": "ChargeItem",
            "status": "billable",
            "code": concept("1"),
            "subject": PATIENT,
            "priceOverride": {"value": 10.50, "currency": "JPY"},
        },
        "ChargeItem.priceOverride.value",
        "ChargeItem.priceOverride.currency",
    ),
    "an answer without its question": Lie(
        {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "item": [{"linkId": "1", "text": "Are you free of pain?", "answer": [{"valueBoolean": False}]}],
        },
        "QuestionnaireResponse.item[0].answer",
        "QuestionnaireResponse.item[0].text",
    ),
    "a specimen that was unsatisfactory": Lie(
        {"resourceType": "Specimen", "status": "unsatisfactory", "type": concept("119297000"), "subject": PATIENT},
        "Specimen.type",
        "Specimen.status",
    ),
    "a preliminary report as final": Lie(
        {"resourceType": "DiagnosticReport", "status": "preliminary", "code": LOINC, "conclusion": "no tumour"},
        "DiagnosticReport.conclusion",
        "DiagnosticReport.status",
    ),
    "a procedure that was not done": Lie(
        {"resourceType": "Procedure", "status": "not-done", "code": concept("80146002"), "subject": PATIENT},
        "Procedure.code",
        "Procedure.status",
    ),
    "a consent that denies": Lie(
        {
            "resourceType": "Consent",
            "status": "active",
            "scope": status("consentscope", "patient-privacy"),
            "category": [concept("1")],
            "policyRule": concept("2"),
            "provision": {"type": "permit", "provision": [{"type": "deny", "purpose": [{"code": "TREAT"}]}]},
        },
        "Consent.provision.type",
        "Consent.provision.provision[0].type",
    ),
    "a name that was somebody's": Lie(
        {"resourceType": "Patient", "name": [{"use": "old", "family": "Example"}]},
        "Patient.name[0].family",
        "Patient.name[0].use",
    ),
    "a year of birth of one who died": Lie(
        {"resourceType": "Patient", "birthDate": "1930-01-01", "deceasedBoolean": True},
        "Patient.birthDate",
        "Patient.deceasedBoolean",
    ),
    "a withheld twin": Lie(
        {
            "resourceType": "Patient",
            "birthDate": "1970-01-01",
            "_birthDate": {"extension": [{"url": "https://example.org/estimated", "valueBoolean": True}]},
        },
        "Patient.birthDate",
        "Patient._birthDate",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_lies(name: str) -> None:
    lie = LIES[name]
    resource_type, fields, detached, _ = _core.read_resource(json.dumps(lie.resource).encode())
    record = sealed(resource_type, [Field(*each) for each in fields], detached=detached)
    (choice,) = select([record], [lie.shown]).choices
    names = names_of(choice)
    truth = {each for each in names if each.startswith(lie.hidden)}
    assert truth, "the truth does not travel"
    refusal(record, names - truth)
    for each in truth:
        refusal(record, names - {each})
    (verified,) = check(forged(record, names)).records
    assert {each.name for each in verified.fields} == names


def translated(language: str) -> dict[str, Any]:
    parts = [{"url": "lang", "valueCode": language}, {"url": "content", "valueString": "Klinik"}]
    return {"url": "http://hl7.org/fhir/StructureDefinition/translation", "extension": parts}


def test_a_displays_twin_does_not_stand_in_for_what_is_withheld() -> None:
    """A display counts where nothing else of its Reference is shown; it must not count for more than that."""
    reference = {"reference": "Organization/o", "display": "Clinic", "_display": {"extension": [translated("de")]}}
    resource = {
        "resourceType": "Consent",
        "status": "active",
        "scope": concept("patient-privacy"),
        "category": [{"text": "c"}],
        "policyRule": {"text": "p"},
        "organization": [reference],
        "provision": {"type": "deny"},
    }
    resource_type, fields, _, _ = _core.read_resource(json.dumps(resource).encode())
    record = sealed(resource_type, [Field(*each) for each in fields])
    names = opened(record, "Consent.status") | {each.name for each in record.fields if "isplay" in each.name}
    check(forged(record, names))
    others = sorted(each for each in names if each.startswith("Consent.") and "isplay" not in each)
    withheld = {"Consent.organization[0].reference", "Consent.provision.type"}
    for count in range(len(others) - len(withheld)):
        more = [each for each in others if each not in withheld][:count]
        refusal(record, names - withheld - set(more))


def test_a_reference_of_a_display_alone_counts_once() -> None:
    alone = {"display": "Clinic", "_display": {"extension": [translated("de"), translated("fr")]}}
    resource = {"resourceType": "Coverage", "status": "active", "beneficiary": PATIENT, "payor": [alone]}
    resource_type, fields, _, _ = _core.read_resource(json.dumps(resource).encode())
    record = sealed(resource_type, [Field(*each) for each in fields])
    told = {
        slot.name: slot
        for slot in check(forged(record, opened(record, "Coverage.status"))).records[0].containers[0].slots
    }
    assert (told["payor"].fields, told["payor"].state) == (1, "withheld")
