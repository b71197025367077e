"""Pharmacy claims: supplies, reversals, replacements, and the dispense that tells of the same fill."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.supplies import METFORMIN, UCUM, claim, dispense, dropped, read, request, rows

PRIOR = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/ex-relatedclaimrelationship", "code": "prior"}]}
REPLACED_BY = {
    "coding": [
        {"system": "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBRelatedClaimRelationshipCodes", "code": "replacedby"}
    ]
}
FIRST = {"system": "urn:example:claims", "value": "1"}
SECOND = {"system": "urn:example:claims", "value": "2"}
DENIED = {
    "coding": [{"system": "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBPayerAdjudicationStatus", "code": "denied"}]
}


def events(*resources: dict[str, Any], **options: Any) -> list[str]:
    return sorted(row["event"].rpartition("/")[2] for row in rows(*resources, **options) if row["kind"] == "supply")


def reasons(*resources: dict[str, Any]) -> dict[str, int]:
    return {reason: count for (_, reason), count in dropped(*resources).items()}


def reversal(**changes: Any) -> dict[str, Any]:
    related = [{"relationship": PRIOR, "reference": FIRST}]
    return claim(**{"id": "e2", "status": "cancelled", "identifier": [SECOND], "related": related, **changes})


def test_a_pharmacy_claim_is_a_supply() -> None:
    (row,) = rows(claim())
    assert (row["date"], row["days_supply"], row["fallback"]) == (date(2031, 4, 5), 30, "claim_days_supply")
    assert (row["class"], row["patient"], row["event"]) == ("diabetes", "Patient/p1", "ExplanationOfBenefit/e1")


def test_the_billed_period_stands_in_for_the_day_of_service() -> None:
    item = {"sequence": 1, "productOrService": METFORMIN}
    (row,) = rows(claim(item=[item], billablePeriod={"start": "2031-04-07"}))
    assert (row["date"], row["fallback"]) == (date(2031, 4, 7), "claim_days_supply+billable_period")
    assert rows(claim(item=[item]))[0]["reason"] == "date_unknown"


def supplied(quantity: Any) -> dict[str, Any]:
    info = claim()["supportingInfo"][0]
    return claim(supportingInfo=[{**info, "valueQuantity": quantity}])


def test_days_of_a_claim_are_days() -> None:
    assert rows(supplied({"value": 28, "system": UCUM, "code": "d"}))[0]["days_supply"] == 28
    assert rows(supplied({"value": 4, "system": UCUM, "code": "wk"}))[0]["reason"] == "duration_unit"
    assert rows(claim(supportingInfo=None))[0]["reason"] == "duration_missing"


def test_an_item_names_which_days_are_its_own() -> None:
    info = claim()["supportingInfo"][0]
    both = [info, {**info, "sequence": 2, "valueQuantity": {"value": 90}}]
    item = claim()["item"][0]
    assert rows(claim(supportingInfo=both))[0]["reason"] == "duration_several"
    assert rows(claim(supportingInfo=both, item=[{**item, "informationSequence": [2]}]))[0]["days_supply"] == 90


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "draft"}, "status_draft"),
        ({"status": "entered-in-error"}, "status_entered_in_error"),
        ({"use": "preauthorization"}, "use_not_claim"),
        ({"outcome": "error"}, "outcome_error"),
        ({"payment": {"type": DENIED}}, "claim_denied"),
        ({"item": None}, "claim_without_item"),
        ({"status": "cancelled"}, "status_cancelled"),
    ],
)
def test_what_is_no_supply(changes: dict[str, Any], why: str) -> None:
    assert (events(claim(**changes)), reasons(claim(**changes))) == ([], {why: 1})


def test_claims_of_other_types_tell_nothing() -> None:
    oral = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "oral"}]}
    assert (events(claim(type=oral)), reasons(claim(type=oral))) == ([], {})


@pytest.mark.parametrize(
    "related",
    [
        [{"relationship": PRIOR, "reference": FIRST}],
        [{"reference": FIRST}],
        [{"relationship": PRIOR, "claim": {"reference": "ExplanationOfBenefit/e1"}}],
        [{"relationship": PRIOR, "claim": {"reference": "Claim/c1"}}],
        [{"relationship": PRIOR, "claim": {"identifier": FIRST}}],
    ],
)
def test_a_reversal_takes_back_what_it_names(related: Any) -> None:
    first = claim(claim={"reference": "Claim/c1"})
    for both in ((first, reversal(related=related)), (reversal(related=related), first)):
        assert (events(*both), reasons(*both)) == ([], {"reversal": 1, "reversed": 1})


def test_a_reversal_without_a_name_takes_back_the_claim_of_its_own_number() -> None:
    unnamed = reversal(related=None, identifier=[FIRST])
    assert events(claim(), unnamed) == []
    assert events(claim(), reversal(related=None)) == ["e1"]


def test_a_reversal_takes_back_one_claim() -> None:
    again = claim(id="e3", created="2031-04-07")
    assert events(claim(), again, reversal(created="2031-04-06")) == ["e3"]
    later = claim(id="e3", item=[{**claim()["item"][0], "servicedDate": "2031-05-05"}])
    assert events(claim(), later, reversal()) == ["e3"]


def test_a_reversal_of_another_patient_takes_nothing_back() -> None:
    other = reversal(patient={"reference": "Patient/p2"})
    assert (events(claim(), other), reasons(claim(), other)) == (["e1"], {"status_cancelled": 1})


def test_a_claim_that_was_cancelled_for_another_does_not_reverse_it() -> None:
    old = claim(status="cancelled", related=[{"relationship": REPLACED_BY, "reference": SECOND}])
    new = claim(id="e2", identifier=[SECOND], related=[{"relationship": PRIOR, "reference": FIRST}])
    assert events(old, new) == ["e2"]


def test_a_replacement_counts_once() -> None:
    new = claim(id="e2", identifier=[SECOND], related=[{"relationship": PRIOR, "reference": FIRST}])
    assert (events(claim(), new), reasons(claim(), new)) == (["e2"], {"replaced": 1})
    refill = {**new, "item": [{**new["item"][0], "servicedDate": "2031-05-05"}]}
    assert events(claim(), refill) == ["e1", "e2"]


def test_the_same_fill_as_claim_and_dispense_counts_once() -> None:
    assert (events(claim(), dispense()), reasons(claim(), dispense())) == (["d1"], {"same_fill_as_dispense": 1})
    prepared = dispense(whenPrepared="2031-04-04")
    billed = claim(item=[{**claim()["item"][0], "servicedDate": "2031-04-04"}])
    assert events(billed, prepared) == ["d1"]


@pytest.mark.parametrize(
    ("served", "found"),
    [("2031-04-04", ["d1"]), ("2031-03-22", ["d1"]), ("2031-03-21", ["d1", "e1"]), ("2031-04-06", ["d1", "e1"])],
)
def test_a_fill_waits_for_two_weeks_to_be_picked_up(served: str, found: list[str]) -> None:
    billed = claim(item=[{**claim()["item"][0], "servicedDate": served}])
    assert events(billed, dispense()) == found
    other_days = dispense(daysSupply={"value": 90, "system": "http://unitsofmeasure.org", "code": "d"})
    assert events(billed, other_days) == ["d1", "e1"]
    assert events(billed, dispense(whenPrepared="2031-04-05")) == ["d1", "e1"]


def test_of_two_claims_the_one_of_the_day_is_the_dispenses() -> None:
    earlier = claim(id="e2", identifier=[SECOND], item=[{**claim()["item"][0], "servicedDate": "2031-04-01"}])
    assert events(earlier, claim(), dispense()) == ["d1", "e2"]


def test_one_claim_for_one_dispense() -> None:
    assert events(claim(), claim(id="e2", identifier=[SECOND]), dispense()) == ["d1", "e2"]


def test_other_medications_are_other_fills() -> None:
    ndc = {"coding": [{"system": "http://hl7.org/fhir/sid/ndc", "code": "0777-3105-02"}]}
    item = [{**claim()["item"][0], "productOrService": ndc}]
    prescription = {"reference": "MedicationRequest/r1"}
    assert events(claim(item=item), dispense(), classes=None) == ["d1", "e1"]
    known = dispense(authorizingPrescription=[prescription])
    assert events(claim(item=item, prescription=prescription), known, classes=None) == ["d1"]


def test_a_dispense_takes_the_days_of_its_claim() -> None:
    found = read(claim(), dispense(daysSupply=None))
    assert found.events["days_supply"].to_pylist() == [30]
    assert found.counts("fallback") == {"claim_days_supply": 1}
    assert found.counts("reason") == {}


def test_a_reversed_claim_is_no_double_of_a_dispense() -> None:
    assert events(claim(), reversal(), dispense()) == ["d1"]
    assert reasons(claim(), reversal(), dispense()) == {"reversal": 1, "reversed": 1}


def test_claims_of_one_number_are_one() -> None:
    same = [claim(), claim(id="e2")]
    assert events(*same) == events(*same[::-1]) == ["e2"]
    assert reasons(*same) == {"same_claim": 1}
    assert len(events(claim(), claim(id="e2", identifier=[SECOND]))) == 2
    later = {"sequence": 1, "productOrService": METFORMIN, "servicedDate": "2031-05-05"}
    assert len(events(claim(), claim(id="e2", item=[{**claim()["item"][0], **later}]))) == 2


def test_claims_of_two_payers_for_one_supply_are_one() -> None:
    second = claim(id="e2", identifier=[SECOND], insurer={"display": "another"})
    assert len(events(claim(), second)) == 1
    assert reasons(claim(), second) == {"other_payer": 1}
    twice = [claim(), claim(id="e3", identifier=[{"value": "3"}]), second]
    assert events(*twice) == ["e1", "e3"]  # the first payer knows of two fills


def test_a_prescription_that_was_answered_is_no_supply() -> None:
    named = [{"reference": "MedicationRequest/r1"}]
    declined = dispense(status="declined", authorizingPrescription=named)
    filled = claim(prescription=named[0])
    assert events(request(), supplies="either") == ["r1"]
    assert events(request(), declined, supplies="either") == []
    assert events(request(), filled, reversal(prescription=named[0]), supplies="either") == []
