"""Whose records they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chartseal import _core
from chartseal.errors import FhirError
from chartseal.fhir import Outline, Outlines, Piece

BASE = "https://issuer.example/fhir/"


def reference(text: str) -> dict[str, str]:
    return {"reference": text}


def piece(kind: str, identity: str | None = None, full_url: str = "", **members: Any) -> Piece:
    named = {} if identity is None else {"id": identity}
    return Piece("", json.dumps({"resourceType": kind, **named, **members}).encode(), full_url)


def owners(*others: Piece, of: Piece) -> tuple[str, ...]:
    outlines = Outlines(BASE)
    outline = outlines.add(of)
    for other in others:
        outlines.add(other)
    return outlines.patients(outline)


def test_a_record_belongs_to_its_subject() -> None:
    one = f"{BASE}Patient/1"
    assert owners(of=piece("Patient", "1")) == (one,)
    assert owners(of=piece("Condition", subject=reference("Patient/1"))) == (one,)
    assert owners(of=piece("Condition", subject=reference("Patient/1/_history/2"))) == (one,)
    assert owners(of=piece("AllergyIntolerance", patient=reference("Patient/1"), recorder=reference("Patient/2"))) == (
        one,
    )
    elsewhere = "https://other.example/Patient/1"
    assert owners(of=piece("Condition", subject=reference(elsewhere))) == (elsewhere,)
    assert owners(of=piece("Condition", "c", "https://other.example/Condition/c", subject=reference("Patient/1"))) == (
        elsewhere,
    )


def test_urns_are_the_patients_they_name() -> None:
    record = piece("Condition", full_url="urn:uuid:c", subject=reference("urn:uuid:p"))
    assert owners(piece("Patient", "1", "urn:uuid:p"), of=record) == (f"{BASE}Patient/1",)
    assert owners(piece("Patient", None, "urn:uuid:p"), of=record) == ("urn:uuid:p",)
    assert owners(piece("Group", "1", "urn:uuid:p"), of=record) == ()
    assert owners(of=record) == ()


@pytest.mark.parametrize(
    "text", ["Patient?x=/Patient/1", "#Patient/1", "Group/1", "urn:x:/Patient/1", "Patient/1#a", "patient/1"]
)
def test_what_only_looks_like_a_patient_owns_nothing(text: str) -> None:
    assert owners(of=piece("Condition", subject=reference(text))) == ()


def test_two_patients_without_a_subject_are_both_told() -> None:
    visit = piece("Appointment", participant=[{"actor": reference(f"Patient/{n}")} for n in (1, 2, 1)])
    assert owners(of=visit) == (f"{BASE}Patient/1", f"{BASE}Patient/2")
    actors = [reference("Patient/1"), reference("Practitioner/1"), reference("Patient?identifier=1"), reference("#p")]
    assert owners(of=piece("Appointment", participant=[{"actor": actor} for actor in actors])) == (f"{BASE}Patient/1",)


def test_companions_follow_the_records_that_refer_to_them() -> None:
    outlines = Outlines(BASE)

    def add(*args: Any, **members: Any) -> Outline:
        return outlines.add(piece(*args, **members))

    add("MedicationRequest", "m1", subject=reference("Patient/1"), medicationReference=reference("Medication/m"))
    add("MedicationRequest", "m2", subject=reference("Patient/2"), medicationReference=reference("Medication/m"))
    drug = add("Medication", "m", manufacturer=reference("Organization/o"))
    maker = add("Organization", "o", partOf=reference("Organization/o"))
    other = add("Organization", "x")
    both = (f"{BASE}Patient/1", f"{BASE}Patient/2")
    assert [outlines.companions(outline) for outline in (drug, maker, other)] == [both, both, ()]
    assert outlines.patients(drug) == ()
    add("Condition", "c", subject=reference("Patient/3"), asserter=reference("Organization/x"))
    assert outlines.companions(other) == (f"{BASE}Patient/3",)


def test_companions_are_found_by_urn() -> None:
    outlines = Outlines(BASE)
    outlines.add(
        piece("Condition", "c", "urn:uuid:c", subject=reference("Patient/1"), asserter=reference("urn:uuid:o"))
    )
    maker = outlines.add(piece("Organization", "o", "urn:uuid:o"))
    assert outlines.companions(maker) == (f"{BASE}Patient/1",)


def test_companions_are_found_by_type_and_id_among_urns() -> None:
    outlines = Outlines(BASE)
    outlines.add(
        piece("Condition", "c", "urn:uuid:c", subject=reference("Patient/1"), asserter=reference("Organization/o"))
    )
    maker = outlines.add(piece("Organization", "o", "urn:uuid:o"))
    nameless = outlines.add(piece("Organization", None))
    assert outlines.companions(maker) == (f"{BASE}Patient/1",)
    assert outlines.companions(nameless) == ()


def test_what_is_no_resource_has_no_outline() -> None:
    with pytest.raises(FhirError) as refused:
        Outlines(BASE).add(Piece("", b"{}", ""))
    assert refused.value.code == "resource_type_missing"


def test_references_resolve_through_python() -> None:
    references = _core.References()
    references.add("urn:uuid:a", "Patient", "1")
    assert references.resolve("urn:uuid:a", "", BASE) == ("Patient", f"{BASE}Patient/1")
    assert references.resolve("Patient/1", "urn:uuid:b", BASE) is None
