"""Whose records they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chartseal import _core
from chartseal.errors import PatientError
from chartseal.fhir import Piece
from chartseal.sealing.plan import Outline, PatientMap, Plan

BASE = "https://issuer.example/fhir/"
ELSEWHERE = "https://other.example/Patient/1"


def reference(text: str) -> dict[str, str]:
    return {"reference": text}


def piece(kind: str, identity: str | None = None, full_url: str = "", **members: Any) -> Piece:
    named = {} if identity is None else {"id": identity}
    return Piece("", json.dumps({"resourceType": kind, **named, **members}).encode(), full_url)


def owners(*others: Piece, of: Piece) -> list[str]:
    """The patients of one piece among others; another record of nobody keeps it from standing alone."""
    pieces = [of, *others, piece("Basic", "nobody")]
    plan = Plan.survey(lambda: pieces, BASE, PatientMap({}))
    (found,) = _core.outlines([of.text])
    assert found is not None
    return plan.patients_of(of, Outline(*found))


def refusal(*others: Piece, of: Piece) -> str:
    with pytest.raises(PatientError) as refused:
        owners(*others, of=of)
    return refused.value.code


def test_a_record_belongs_to_its_subject() -> None:
    one = f"{BASE}Patient/1"
    assert owners(of=piece("Patient", "1")) == [one]
    assert owners(of=piece("Condition", subject=reference("Patient/1"))) == [one]
    assert owners(of=piece("Condition", subject=reference("Patient/1/_history/2"))) == [one]
    allergy = piece("AllergyIntolerance", patient=reference("Patient/1"), recorder=reference("Patient/2"))
    assert owners(of=allergy) == [one]
    assert owners(of=piece("Condition", subject=reference(ELSEWHERE))) == [ELSEWHERE]
    there = piece("Condition", "c", "https://other.example/Condition/c", subject=reference("Patient/1"))
    assert owners(of=there) == [ELSEWHERE]


def test_urns_are_the_patients_they_name() -> None:
    record = piece("Condition", full_url="urn:uuid:c", subject=reference("urn:uuid:p"))
    assert owners(piece("Patient", "1", "urn:uuid:p"), of=record) == [f"{BASE}Patient/1"]
    assert owners(piece("Patient", None, "urn:uuid:p"), of=record) == ["urn:uuid:p"]
    assert refusal(piece("Group", "1", "urn:uuid:p"), of=record) == "companion_unreferenced"
    assert refusal(of=record) == "companion_unreferenced"


@pytest.mark.parametrize("text", ["#Patient/1", "Group/1", "urn:x:/Patient/1", "Patient/1#a", "patient/1"])
def test_what_only_looks_like_a_patient_owns_nothing(text: str) -> None:
    assert refusal(of=piece("Condition", subject=reference(text))) == "companion_unreferenced"


@pytest.mark.parametrize("text", ["Patient?x=/Patient/1", "https://other.example/Patient?identifier=a"])
def test_searches_are_not_resolved(text: str) -> None:
    assert refusal(of=piece("Condition", subject=reference(text))) == "patient_unresolved"


def test_two_patients_without_a_subject_are_refused() -> None:
    visit = piece("Appointment", participant=[{"actor": reference(f"Patient/{n}")} for n in (1, 2, 1)])
    assert refusal(of=visit) == "patient_ambiguous"
    actors = [reference("Patient/1"), reference("Practitioner/1"), reference("Patient?identifier=1"), reference("#p")]
    assert owners(of=piece("Appointment", participant=[{"actor": actor} for actor in actors])) == [f"{BASE}Patient/1"]


def test_companions_follow_the_records_that_refer_to_them() -> None:
    drug = piece("Medication", "m", manufacturer=reference("Organization/o"))
    maker = piece("Organization", "o", partOf=reference("Organization/o"))
    other = piece("Organization", "x")
    requests = [
        piece("MedicationRequest", n, subject=reference(f"Patient/{n}"), medicationReference=reference("Medication/m"))
        for n in "12"
    ]
    both = [f"{BASE}Patient/1", f"{BASE}Patient/2"]
    assert owners(*requests, maker, other, of=drug) == both
    assert owners(*requests, drug, other, of=maker) == both
    assert refusal(*requests, drug, maker, of=other) == "companion_unreferenced"
    condition = piece("Condition", "c", subject=reference("Patient/3"), asserter=reference("Organization/x"))
    assert owners(*requests, drug, maker, condition, of=other) == [f"{BASE}Patient/3"]


@pytest.mark.parametrize("name", ["urn:uuid:o", "Organization/o"])
def test_companions_are_found_by_urn_and_by_type_and_id(name: str) -> None:
    record = piece("Condition", "c", "urn:uuid:c", subject=reference("Patient/1"), asserter=reference(name))
    maker = piece("Organization", "o", "urn:uuid:o")
    assert owners(record, of=maker) == [f"{BASE}Patient/1"]
    assert refusal(record, maker, of=piece("Organization")) == "companion_unreferenced"


def test_references_resolve_through_python() -> None:
    references = _core.References()
    references.add("urn:uuid:a", "Patient", "1")
    assert references.resolve("urn:uuid:a", "", BASE) == ("Patient", f"{BASE}Patient/1")
    assert references.resolve("Patient/1", "urn:uuid:b", BASE) is None


def test_bare_ids_of_a_map_are_of_one_server() -> None:
    ours, theirs = f"{BASE}Patient/1", "https://other.example/fhir/Patient/1"
    for met, served in ((ours, theirs), ours), ((theirs,), theirs), ((theirs, "urn:uuid:a"), theirs), ((), ours):
        addresses = PatientMap({"1": b"a" * 64})
        addresses.patient_of_chart(dict.fromkeys(met, True), BASE)
        assert addresses.address_of(served) == b"a" * 64
    addresses = PatientMap({"1": b"a" * 64, theirs: b"b" * 64})
    addresses.patient_of_chart({ours: True, theirs: True}, BASE)
    assert (addresses.address_of(ours), addresses.address_of(theirs)) == (b"a" * 64, b"b" * 64)
    for base, met in ((BASE, (ours, theirs)), ("", (ours, theirs))):
        addresses = PatientMap({"1": b"a" * 64})
        addresses.patient_of_chart(dict.fromkeys(met, True), base)
        with pytest.raises(PatientError) as caught:
            addresses.address_of(theirs)
        assert caught.value.code == "patient_ambiguous"
