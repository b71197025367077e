"""What claims are lifted from records that take back, repeat or contradict what they say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chartseal import _core
from chartseal.record import Field, lift, read_fields

UCUM, SNOMED, LOINC = "http://unitsofmeasure.org", "http://snomed.info/sct", "http://loinc.org"
STATUS = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
PATIENT = {"reference": "Patient/p"}
UNKNOWN = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
OTHER = {"url": "https://example.org/other", "valueBoolean": True}


def claims(resource: dict[str, Any]) -> tuple[str, set[tuple[str, str, str]]]:
    """The record's about, and (path, qualifier's code, kind) of what is lifted."""
    resource_type, fields, *_ = read_fields(json.dumps(resource).encode())
    about = _core.record_about(resource_type, list(fields), [])
    stated = {"resourceType": resource_type, "about": about, "format": "chartseal/1"}
    control = [Field(f"chartseal.{name}", "string", text) for name, text in stated.items()]
    found, _ = lift([*fields, *control], bytes(32))
    return about, {(claim.path, claim.qualifier_code, claim.kind) for claim in found[1:]}


def concept(code: str, system: str = SNOMED, **more: Any) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, **more}]}


def amount(value: int) -> dict[str, Any]:
    return {"value": value, "system": UCUM, "code": "mg"}


def observation(**more: Any) -> dict[str, Any]:
    given = {"status": "final", "code": concept("1", LOINC), "subject": PATIENT, "valueQuantity": amount(5)}
    return {"resourceType": "Observation", **given, **more}


def condition(**more: Any) -> dict[str, Any]:
    given = {
        "clinicalStatus": concept("active", "http://terminology.hl7.org/CodeSystem/condition-clinical"),
        "verificationStatus": concept("confirmed", STATUS),
        "code": concept("38341003"),
        "subject": PATIENT,
    }
    return {"resourceType": "Condition", **given, **more}


def answers(*items: dict[str, Any]) -> dict[str, Any]:
    given = {"status": "completed", "subject": PATIENT, "questionnaire": "https://example.org/q", "item": list(items)}
    return {"resourceType": "QuestionnaireResponse", "authored": "2026-01-02", **given}


def test_what_is_affirmed_is_lifted() -> None:
    kinds = {("Observation.value", "1", f"quantity-{end}") for end in ("lo", "hi")}
    assert claims(observation()) == ("patient", kinds)
    assert claims(condition())[1] == {("Condition.code", "", "code"), ("Condition.code", "", "sole-code")}


@pytest.mark.parametrize(
    "changed",
    [
        {"verificationStatus": {**concept("confirmed", STATUS), "extension": [UNKNOWN]}},
        {"verificationStatus": concept("confirmed", STATUS, extension=[UNKNOWN])},
        {"code": concept("38341003", extension=[UNKNOWN])},
        {"code": {**concept("38341003"), "extension": [UNKNOWN]}},
    ],
)
def test_a_reason_for_absence_takes_back_what_it_stands_on(changed: dict[str, Any]) -> None:
    assert claims(condition(**changed))[1] == set()


def test_a_medication_whose_reference_is_said_to_be_absent() -> None:
    order = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "subject": PATIENT,
        "contained": [{"resourceType": "Medication", "id": "m", "code": concept("387003001")}],
    }
    assert claims({**order, "medicationReference": {"reference": "#m"}})[1] != set()
    assert claims({**order, "medicationReference": {"reference": "#m", "extension": [UNKNOWN]}})[1] == set()


def test_components_that_share_a_code_lift_nothing_twins_or_not() -> None:
    twin = concept("2", LOINC, _code={"extension": [OTHER]})
    for second in (concept("2", LOINC), twin):
        parts = [
            {"code": concept("2", LOINC), "valueQuantity": amount(5)},
            {"code": second, "valueQuantity": amount(50)},
        ]
        assert not {path for path, *_ in claims(observation(component=parts))[1] if "component" in path}


def test_answers_are_lifted_under_their_question_alone() -> None:
    lo_and_hi = {("QuestionnaireResponse.authored", "", kind) for kind in ("day-lo", "day-hi")}
    first = {"linkId": "1", "answer": [{"valueCoding": {"system": SNOMED, "code": "a"}}]}
    path = "QuestionnaireResponse.item.answer.value"
    assert claims(answers(first))[1] == lo_and_hi | {(path, "1", kind) for kind in ("code", "sole-code")}
    assert claims(answers(first, first))[1] == lo_and_hi
    nested = {"linkId": "0", "answer": [{"valueInteger": 5, "item": [first]}]}
    assert {code for _, code, _ in claims(answers(nested))[1]} == {"", "0", "1"}
    assert (
        claims(answers({"linkId": "1", "_linkId": {"extension": [OTHER]}, "answer": first["answer"]}))[1] == lo_and_hi
    )


@pytest.mark.parametrize(
    ("subject", "about"),
    [
        ({"reference": "Device/d", "type": "Patient"}, "other"),
        ({"reference": "https://example.org/fhir/Group/g/_history/1", "type": "Patient"}, "other"),
        ({"reference": "#d", "type": "Patient"}, "other"),
        ({"reference": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "type": "Patient"}, "patient"),
        ({"type": "Patient", "display": "somebody"}, "patient"),
        ({"reference": "Patient/p", "type": "Patient"}, "patient"),
    ],
)
def test_a_type_does_not_make_a_patient_of_something_else(subject: dict[str, Any], about: str) -> None:
    contained = [{"resourceType": "Device", "id": "d"}] if subject.get("reference") == "#d" else []
    resource = observation(subject=subject, **({"contained": contained} if contained else {}))
    found = claims(resource)
    assert found[0] == about
    assert (found[1] == set()) == (about == "other")
