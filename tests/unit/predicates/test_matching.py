"""Which records satisfy a policy, from FHIR to slots; the clinical attacks by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chartseal import _core
from chartseal.predicates import Unmet, compile_policy, match
from chartseal.record import Claim, Field, lift, read_fields

SNOMED, LOINC, UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
PATIENT = {"reference": "Patient/p"}
R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
A1C = "Observation[loinc|4548-4].value < 7 % and effective >= 2026-05-01"


def claims(resource: dict[str, Any]) -> list[Claim]:
    resource_type, fields, *_ = read_fields(json.dumps(resource).encode())
    about = _core.record_about(resource_type, list(fields), [])
    stated = {"resourceType": resource_type, "about": about, "format": "chartseal/1"}
    control = [Field(f"chartseal.{name}", "string", text) for name, text in stated.items()]
    return lift([*fields, *control], bytes(32))[0]


def concept(*codings: tuple[str, str]) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} for system, code in codings]}


def quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "system": UCUM, "code": unit}


def observation(**more: Any) -> dict[str, Any]:
    given = {
        "status": "final",
        "code": concept((LOINC, "4548-4")),
        "subject": PATIENT,
        "effectiveDateTime": "2026-05-04",
        "valueQuantity": quantity(6.9, "%"),
    }
    return {"resourceType": "Observation", **given, **more}


def condition(*codings: tuple[str, str], clinical: str = "active", verification: str = "confirmed") -> dict[str, Any]:
    status = concept((f"{HL7}/condition-clinical", clinical))
    return {
        "resourceType": "Condition",
        **({} if verification == "entered-in-error" else {"clinicalStatus": status}),  # con-5
        "verificationStatus": concept((f"{HL7}/condition-ver-status", verification)),
        "code": concept(*(codings or ((ICD, "C50.911"),))),
        "subject": PATIENT,
    }


def immunization(**more: Any) -> dict[str, Any]:
    given = {
        "status": "completed",
        "vaccineCode": concept(("http://hl7.org/fhir/sid/cvx", "208")),
        "patient": PATIENT,
        "occurrenceDateTime": "2026-05-02",
    }
    return {"resourceType": "Immunization", **given, **more}


def reasons(text: str, resource: dict[str, Any]) -> str:
    found = match(compile_policy(text), claims(resource))
    assert isinstance(found, Unmet)
    return "; ".join(found.reasons)


def satisfies(text: str, resource: dict[str, Any]) -> bool:
    found = match(compile_policy(text), claims(resource))
    return isinstance(found, tuple)


def test_positions_are_those_of_the_claims_that_satisfy() -> None:
    policy, found = compile_policy(A1C), claims(observation())
    positions = match(policy, found)
    assert isinstance(positions, tuple)
    assert [found[at].kind for at in positions] == ["quantity-hi", "day-lo"]


@pytest.mark.parametrize(("value", "is_under"), [(6.999999, True), (7.0, False), (6.9999999, False), (-1, True)])
def test_a_result_on_either_side_of_the_bound(value: float, is_under: bool) -> None:
    """6.9999999 is under 7, but its claim is its ceiling at scale 6: what is not certain is not proved."""
    assert satisfies(A1C, observation(valueQuantity=quantity(value, "%"))) is is_under


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (observation(valueQuantity=quantity(52, "mmol/mol")), "in another unit (mmol/mol)"),
        (observation(code=concept((LOINC, "59261-8"))), "another such element, but not this one"),
        (observation(status="preliminary"), "no such element, or affirms none"),
        (observation(status="entered-in-error"), "no such element, or affirms none"),
        (observation(valueQuantity={**quantity(6.9, "%"), "comparator": "<"}), "no such element, or affirms none"),
        (observation(effectiveDateTime="2026-04-30"), "it is not so that your date of measurement is on or after"),
        (observation(effectiveDateTime="2026"), "it is not so that your date of measurement is on or after"),
        (observation(valueQuantity=quantity(7.1, "%")), "it is not so that your HbA1c (LOINC 4548-4) is under 7 %"),
    ],
)
def test_why_not(record: dict[str, Any], reason: str) -> None:
    """Named attacks: unit confusion, a statement that is not affirmed, a partial date on the wrong side."""
    assert reason in reasons(A1C, record)
    assert satisfies(A1C, observation())


def test_reasons_name_no_value() -> None:
    told = reasons(A1C, observation(valueQuantity=quantity(9.321, "%"), effectiveDateTime="2026-04-17"))
    assert "9.321" not in told
    assert "17" not in told


def test_systolic_is_not_diastolic() -> None:
    """Named attack: qualifier confusion."""
    parts = [
        {"code": concept((LOINC, code)), "valueQuantity": quantity(value, "mm[Hg]")}
        for code, value in (("8480-6", 150), ("8462-4", 80))
    ]
    panel = observation(code=concept((LOINC, "85354-9")), component=parts)
    del panel["valueQuantity"]
    text = "Observation.component[loinc|{}].value < 140 mm[Hg] and effective >= 2026-05-01"
    assert not satisfies(text.format("8480-6"), panel)
    assert satisfies(text.format("8462-4"), panel)
    assert "another such element" in reasons(text.format("1"), panel)


@pytest.mark.parametrize(
    ("changed", "is_proved"),
    [
        ({}, True),
        ({"verification": "refuted"}, False),
        ({"verification": "entered-in-error"}, False),
        ({"verification": "provisional"}, False),
        ({"clinical": "resolved"}, False),
    ],
)
def test_only_what_is_affirmed_is_proved(changed: dict[str, str], is_proved: bool) -> None:
    """Named attack: a claim lifted from a refuted or entered-in-error statement."""
    assert satisfies("Condition.code in icd10cm:C50.*", condition(**changed)) is is_proved


def test_what_was_not_done_is_not_proved() -> None:
    """Named attack: not-done."""
    text = "Immunization.vaccineCode = cvx|208 and occurrence >= 2026-05-01"
    assert satisfies(text, immunization())
    assert not satisfies(text, immunization(status="not-done"))


def test_senses_are_not_confused() -> None:
    past = condition(clinical="resolved")
    assert satisfies("Condition(past).code in icd10cm:C50.*", past)
    assert "in another sense (past)" in reasons("Condition.code in icd10cm:C50.*", past)


def test_one_of_several_codings_does_not_deny_the_others() -> None:
    """Named attack: one of several codings used for `not`."""
    text = "Condition.code not in icd10cm{C50.911}"
    assert satisfies(text, condition((ICD, "I10")))
    assert not satisfies(text, condition((ICD, "C50.911")))
    for codings in [((ICD, "I10"), (ICD, "C50.911")), ((ICD, "C50.911"), (ICD, "I10"))]:
        assert "more than one code" in reasons(text, condition(*codings))
    without_system = condition((ICD, "I10"))
    without_system["code"]["coding"].append({"code": "C50.911"})
    assert not satisfies(text, without_system)
    assert "no code of ICD-10-CM" in reasons(text, condition((SNOMED, "254837009")))


def test_several_codings_may_affirm_each() -> None:
    both = condition((ICD, "I10"), (ICD, "C50.911"))
    assert satisfies("Condition.code in icd10cm:C50.* and code in icd10cm:I10*", both)
    assert not satisfies("Condition.code only in icd10cm:C50.*", both)
    assert satisfies("Condition.code only in icd10cm:C50.*", condition())


@pytest.mark.parametrize("value", [1 << 64, R - 1, R - 10, (1 << 248) + 1])
def test_no_number_beyond_64_bits_is_within_a_range(value: int) -> None:
    """Named attack: negative and out-of-range values; p - 1 is not under 10."""
    for text in ("Condition.onset >= 2000", "Condition.onset < 2000", "Condition.onset between 10 and 50 a"):
        for slot in compile_policy(text).slots:
            assert not slot.accepts(value)


def test_a_not_member_is_strictly_between_neighbours() -> None:
    [slot] = compile_policy("Condition.code not in snomed{1, 2, 3}").slots
    for member in slot.members:
        assert not slot.accepts(member)
        assert slot.accepts(member + 1) is (member + 1 not in slot.members)


def test_values_may_be_numbers_too() -> None:
    held = [claim._replace(value=claim.value) for claim in claims(observation())]

    class Opened:
        def __init__(self, claim: Claim) -> None:
            self.path, self.sense, self.kind, self.unit, self.scale = claim.path, claim.sense, *claim[4:7]
            self.qualifier_system, self.qualifier_code, self.key = claim[2], claim[3], claim.key
            self.value = int.from_bytes(claim.value, "big")

    policy = compile_policy(A1C)
    assert match(policy, [Opened(claim) for claim in held]) == match(policy, held)
