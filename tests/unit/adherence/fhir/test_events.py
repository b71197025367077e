"""Which resources are events, of what kind, on which day; each rule beside a neighbour that breaks it."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from chartseal.adherence.fhir import ClassTable, events, read_events
from chartseal.errors import AdherenceError
from chartseal.verification.facts import Fact
from tests.supplies import CLASSES, METFORMIN, TABLET, days, dispense, dosage, dropped, request, rows

DAY = date(2031, 4, 5)


def only(*resources: dict[str, Any], **options: Any) -> dict[str, Any]:
    (row,) = rows(*resources, **options)
    return row


def test_a_completed_dispense_is_a_supply() -> None:
    assert only(dispense()) == {
        "patient": "Patient/p1",
        "date": DAY,  # as written: in UTC it is the day after
        "days_supply": 30.0,
        "daily_dose": None,
        "class": "diabetes",
        "ingredient": "metformin",
        "kind": "supply",
        "end": None,
        "event": "MedicationDispense/d1",
        "medication": "metformin 500 MG Oral Tablet",
        "fallback": "days_supply",
        "reason": None,
        "source": "",
    }


@pytest.mark.parametrize("status", ["declined", "on-hold", "stopped"])
def test_what_was_not_dispensed_is_evidence_of_that(status: str) -> None:
    assert only(dispense(status=status))["kind"] == "not_dispensed"


def test_what_is_dispensed_in_hospital_is_used_up_there() -> None:
    code = {"system": "http://terminology.hl7.org/fhir/CodeSystem/medicationdispense-category", "code": "inpatient"}
    assert dropped(dispense(category={"coding": [code]})) == {("MedicationDispense", "category_inpatient"): 1}
    assert len(rows(dispense(category={"coding": [{**code, "code": "community"}]}))) == 1


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error", "in-progress", "preparation", "unknown"])
def test_other_dispenses_are_counted_and_left_out(status: str) -> None:
    assert rows(dispense(status=status)) == []
    assert dropped(dispense(status=status)) == {("MedicationDispense", f"status_{status.replace('-', '_')}"): 1}


def test_the_day_of_preparing_stands_in_for_that_of_handing_over() -> None:
    both = only(dispense(whenPrepared="2031-04-03"))
    alone = only(dispense(whenPrepared="2031-04-03", whenHandedOver=None))
    assert (both["date"], both["fallback"]) == (DAY, "days_supply")
    assert (alone["date"], alone["fallback"]) == (date(2031, 4, 3), "days_supply+when_prepared")


@pytest.mark.parametrize("written", ["2031", "2031-04", None])
def test_part_of_a_date_is_no_day(written: str | None) -> None:
    row = only(dispense(whenHandedOver=written))
    assert (row["date"], row["reason"], row["days_supply"]) == (None, "date_unknown", 30)


def test_quantity_by_dose_stands_in_for_days_of_supply() -> None:
    row = only(dispense(daysSupply=None, quantity={"value": 60, **TABLET}, dosageInstruction=[dosage(dose=2)]))
    assert (row["days_supply"], row["daily_dose"], row["fallback"]) == (30, 2, "quantity_per_dose")


def test_unknown_days_of_supply_are_a_row_with_its_reason() -> None:
    row = only(
        dispense(daysSupply=None, quantity={"value": 60, **TABLET}, dosageInstruction=[dosage(asNeededBoolean=True)])
    )
    assert (row["days_supply"], row["reason"], row["fallback"]) == (None, "as_needed", None)


def test_an_order_is_a_prescription() -> None:
    row = only(request())
    assert (row["kind"], row["date"], row["days_supply"]) == ("prescribed", date(2031, 4, 1), 30)
    assert row["fallback"] == "expected_supply_duration"


@pytest.mark.parametrize("intent", ["original-order", "reflex-order", "filler-order", "instance-order"])
def test_kinds_of_order_are_orders(intent: str) -> None:
    assert only(request(intent=intent))["kind"] == "prescribed"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"intent": "proposal"}, "intent_not_order"),
        ({"intent": "plan"}, "intent_not_order"),
        ({"intent": "option"}, "intent_not_order"),
        ({"doNotPerform": True}, "do_not_perform"),
        ({"reportedBoolean": True}, "reported"),
        ({"reportedReference": {"reference": "Patient/p1"}}, "reported"),
        ({"status": "draft"}, "status_draft"),
        ({"status": "cancelled"}, "status_cancelled"),
        ({"status": "entered-in-error"}, "status_entered_in_error"),
    ],
)
def test_what_is_no_prescription(changes: dict[str, Any], why: str) -> None:
    assert rows(request(**changes)) == []
    assert dropped(request(**changes)) == {("MedicationRequest", why): 1}


def test_what_is_said_not_to_be_so_is_a_prescription() -> None:
    assert only(request(doNotPerform=False, reportedBoolean=False))["kind"] == "prescribed"


def test_bounds_are_no_supply() -> None:
    bounded = dosage({"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "boundsDuration": days(10)}})
    row = only(request(dispenseRequest=None, dosageInstruction=[bounded]))
    assert (row["days_supply"], row["daily_dose"], row["reason"]) == (None, 1, "quantity_missing")


def administration(status: str) -> dict[str, Any]:
    return {
        "resourceType": "MedicationAdministration",
        "id": "a1",
        "status": status,
        "medicationCodeableConcept": METFORMIN,
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2031-04-05",
    }


def statement(status: str, **changes: Any) -> dict[str, Any]:
    made = {**administration(status), "resourceType": "MedicationStatement", **changes}
    return {name: value for name, value in made.items() if value is not None}


def test_an_administration_not_done_is_a_missed_dose() -> None:
    assert only(administration("not-done"))["kind"] == "missed_dose"
    assert dropped(administration("completed")) == {("MedicationAdministration", "status_completed"): 1}


def test_a_statement_of_not_taking_is_a_stop() -> None:
    assert only(statement("not-taken"))["kind"] == "stop"
    assert dropped(statement("active")) == {("MedicationStatement", "status_active"): 1}
    asserted = only(statement("not-taken", effectiveDateTime=None, dateAsserted="2031-04-06"))
    assert (asserted["date"], asserted["fallback"]) == (date(2031, 4, 6), "date_asserted")


def test_a_dispense_and_its_request_count_once() -> None:
    filled = dispense(authorizingPrescription=[{"reference": "MedicationRequest/r1"}])
    unfilled = request(id="r2", authoredOn="2031-06-01")

    def supplies(supplies: str) -> list[tuple[str, str | None]]:
        found = rows(filled, request(), unfilled, supplies=supplies)
        return [(row["event"], row["fallback"]) for row in found if row["kind"] == "supply"]

    fill = ("MedicationDispense/d1", "days_supply")
    assert supplies("dispensed") == [fill]
    assert supplies("either") == [fill, ("MedicationRequest/r2", "expected_supply_duration+prescribed")]
    assert [event for event, _ in supplies("prescribed")] == ["MedicationRequest/r1", "MedicationRequest/r2"]


def test_a_medication_by_reference() -> None:
    medication = {"resourceType": "Medication", "id": "m1", "code": METFORMIN}
    by_reference = dispense(medicationCodeableConcept=None, medicationReference={"reference": "Medication/m1"})
    assert only(medication, by_reference)["class"] == "diabetes"
    assert only(by_reference, medication)["class"] == "diabetes"
    assert dropped(by_reference) == {("MedicationDispense", "medication_unknown"): 1}
    assert only(by_reference, classes=None)["class"] == "Medication/m1"


def test_a_contained_medication() -> None:
    contained = [{"resourceType": "Medication", "id": "m1", "code": METFORMIN}]
    inside = dispense(medicationCodeableConcept=None, medicationReference={"reference": "#m1"}, contained=contained)
    assert only(inside)["class"] == "diabetes"


def test_without_a_table_the_first_code_is_the_class() -> None:
    row = only(dispense(), classes=None)
    assert (row["class"], row["ingredient"]) == ("http://www.nlm.nih.gov/research/umls/rxnorm|860975", None)
    assert only(dispense(medicationCodeableConcept={"text": "metformin"}), classes=None)["class"] == "metformin"


def test_a_medication_that_the_table_does_not_list_is_counted() -> None:
    other = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1"}]}
    assert rows(dispense(medicationCodeableConcept=other)) == []
    assert dropped(dispense(medicationCodeableConcept=other)) == {("MedicationDispense", "class_unlisted"): 1}


def test_a_combination_counts_for_each_ingredient() -> None:
    both = ClassTable.of(
        [{"system": "rxnorm", "code": "860975", "class": "diabetes", "ingredient": each} for each in ("a", "b")]
    )
    assert [(row["ingredient"], row["event"]) for row in rows(dispense(), classes=both)] == [
        ("a", "MedicationDispense/d1"),
        ("b", "MedicationDispense/d1"),
    ]


def bundle(*entries: tuple[str, dict[str, Any]]) -> bytes:
    made = [{"fullUrl": url, "resource": resource} for url, resource in entries]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": made}).encode()


def test_references_within_a_bundle() -> None:
    url = "urn:uuid:11111111-1111-4111-8111-111111111111"
    patient = {"resourceType": "Patient", "id": "p1", "deceasedDateTime": "2031-05-01"}
    urn = dispense(subject={"reference": url})
    found = read_events(bundle((url, patient), ("urn:uuid:22222222-2222-4222-8222-222222222222", urn)), CLASSES)
    assert found.events["patient"].to_pylist() == ["Patient/p1", "Patient/p1"]
    served = bundle(("http://a.example/MedicationDispense/d1", dispense()), ("http://a.example/Patient/p1", patient))
    assert set(read_events(served, CLASSES).events["patient"].to_pylist()) == {"http://a.example/Patient/p1"}


def test_a_patient_that_must_be_searched_for_is_not_resolved() -> None:
    searched = dispense(subject={"reference": "Patient?identifier=1"})
    assert dropped(searched) == {("MedicationDispense", "patient_unresolved"): 1}
    assert dropped(dispense(subject=None)) == {("MedicationDispense", "patient_unresolved"): 1}


def test_the_newest_version_alone_counts() -> None:
    old = dispense(meta={"lastUpdated": "2031-04-06T00:00:00+02:00"})
    new = dispense(meta={"lastUpdated": "2031-04-05T23:00:00Z"}, status="entered-in-error")
    for both in ((old, new), (new, old)):
        assert rows(*both) == []
    assert dropped(old, new)["MedicationDispense", "older_version"] == 1
    assert len(rows(dispense(), dispense())) == 1
    assert len(rows(dispense(), dispense(id="d2"))) == 2
    assert len(rows(dispense(), dispense(subject={"reference": "Patient/p2"}))) == 2


def test_a_version_that_names_the_patient_otherwise_is_still_a_version() -> None:
    key, old = "https://a.example/MedicationDispense/d1", {"lastUpdated": "2031-04-06T00:00:00Z"}
    new = {"lastUpdated": "2031-04-07T00:00:00Z"}
    for subject, kept in (
        ({"reference": "https://a.example/Patient/p1"}, ["https://a.example/Patient/p1"]),
        ({"reference": "Patient/p2"}, ["https://a.example/Patient/p2"]),  # it was filed under the wrong patient
    ):
        versions = bundle((key, dispense(meta=old))), bundle((key, dispense(subject=subject, meta=new)))
        for both in (versions, versions[::-1]):
            assert read_events(both, CLASSES).events["patient"].to_pylist() == kept
    mistaken = dispense(subject=None, status="entered-in-error", meta=new)
    assert rows(dispense(meta=old), mistaken) == rows(mistaken, dispense(meta=old)) == []
    assert rows(dispense(), dispense(subject=None, status="entered-in-error")) == []


def test_two_people_under_one_key_are_not_one_patient() -> None:
    def chart(letter: str, born: str) -> bytes:
        patient = {"resourceType": "Patient", "id": "p1", "birthDate": born}
        urls = (f"urn:uuid:{number}1111111-1111-4111-8111-11111111111{letter}" for number in "12")
        return bundle((next(urls), patient), (next(urls), dispense(id=f"d{letter}")))

    found = read_events([chart("a", "1950-01-01"), chart("b", "1980-01-01")], CLASSES)
    assert found.events.num_rows == 0
    counts = {each["reason"]: each["count"] for each in found.dropped.to_pylist() if each["resource_type"] != "Patient"}
    assert counts == {"patient_ambiguous": 2}
    assert read_events([chart("a", "1950-01-01"), chart("b", "1950-01-01")], CLASSES).events.num_rows == 3


def test_a_group_is_no_patient() -> None:
    assert dropped(dispense(subject={"reference": "Group/g1"})) == {("MedicationDispense", "patient_unresolved"): 1}


def test_what_is_not_r4_is_counted_and_ends_nothing() -> None:
    broken = dispense(id="d2", daysSuply=days(30))
    assert len(rows(broken, dispense())) == 1
    assert dropped(broken, dispense()) == {("MedicationDispense", "element_unknown"): 1}
    found = read_events(b'{"resourceType":"MedicationDispense"\n' + json.dumps(dispense()).encode() + b"\n\n")
    assert sum(each["count"] for each in found.dropped.to_pylist()) >= 1


def test_sources_of_every_form(tmp_path: Path) -> None:
    text = json.dumps(dispense()).encode()
    plain, packed = tmp_path / "chart.json", tmp_path / "deep" / "chart.ndjson.gz"
    packed.parent.mkdir()
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(json.dumps(dispense(id="d2")).encode() + b"\n"))
    with plain.open("rb") as stream:
        assert read_events(stream).events.num_rows == 1
    assert read_events(text).events.num_rows == read_events(plain).events.num_rows == 1
    assert read_events(str(tmp_path)).events["event"].to_pylist() == ["MedicationDispense/d1", "MedicationDispense/d2"]
    assert read_events([plain, packed]).events["source"].to_pylist() == ["chart.json", "chart.ndjson.gz line 1"]


def test_sources_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(AdherenceError) as refused:
        read_events(tmp_path / "none.json")
    assert refused.value.code == "source_unreadable"
    with pytest.raises(AdherenceError) as refused:
        read_events(tmp_path)
    assert refused.value.code == "source_empty"


def test_verified_facts_are_read_although_partial() -> None:
    shown = dispense(
        meta={"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}]}
    )
    fact = Fact("urn:uuid:22222222-2222-4222-8222-222222222222", json.dumps(shown), {})
    found = read_events([fact], CLASSES)
    assert found.events["days_supply"].to_pylist() == [30]
    assert dropped(shown) != {}  # as a file it is no whole resource


def test_more_events_than_a_reading_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_EVENTS", 1)
    assert len(rows(dispense())) == 1
    with pytest.raises(AdherenceError) as refused:
        rows(dispense(), dispense(id="d2"))
    assert refused.value.code == "too_many_events"


def test_days_keep_their_whole_number() -> None:
    third = only(dispense(daysSupply=None, quantity={"value": 10, **TABLET}, dosageInstruction=[dosage(dose=3)]))
    assert third["days_supply"] == pytest.approx(10 / 3, abs=1e-12)
    almost = json.dumps(dispense()).replace('"value": 30', '"value": 29.99999999999999999999')
    assert read_events(almost.encode(), CLASSES).events["days_supply"].to_pylist()[0] < 30
