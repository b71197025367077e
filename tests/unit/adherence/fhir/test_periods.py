"""Stays, enrolment and death."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.supplies import changed, dropped, rows

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
SNF = {"coding": [{"system": "http://snomed.info/sct", "code": "449411000124106"}]}


def encounter(code: str = "IMP", **changes: Any) -> dict[str, Any]:
    return changed(
        {
            "resourceType": "Encounter",
            "id": "e1",
            "status": "finished",
            "class": {"system": ACT, "code": code},
            "subject": {"reference": "Patient/p1"},
            "period": {"start": "2031-04-05T10:00:00Z", "end": "2031-04-08T10:00:00Z"},
        },
        changes,
    )


def coverage(**changes: Any) -> dict[str, Any]:
    return changed(
        {
            "resourceType": "Coverage",
            "id": "c1",
            "status": "active",
            "beneficiary": {"reference": "Patient/p1"},
            "payor": [{"display": "plan"}],
            "period": {"start": "2031-01-01", "end": "2031-12-31"},
        },
        changes,
    )


def spans(*resources: dict[str, Any]) -> list[tuple[str, date, date | None]]:
    return [(row["kind"], row["date"], row["end"]) for row in rows(*resources)]


def test_a_stay_holds_both_its_days() -> None:
    assert spans(encounter()) == [("stay", date(2031, 4, 5), date(2031, 4, 9))]
    one_day = {"start": "2031-04-05T10:00:00Z", "end": "2031-04-05T20:00:00Z"}
    assert spans(encounter(period=one_day)) == [("stay", date(2031, 4, 5), date(2031, 4, 6))]


@pytest.mark.parametrize("code", ["ACUTE", "NONAC", "inpatient"])
def test_kinds_of_inpatient(code: str) -> None:
    assert spans(encounter(code))[0][0] == "stay"


@pytest.mark.parametrize("code", ["AMB", "EMER", "HH", "VR"])
def test_other_encounters_are_no_stay(code: str) -> None:
    assert spans(encounter(code)) == []
    assert dropped(encounter(code)) == {}


def test_a_skilled_nursing_stay() -> None:
    assert spans(encounter(type=[SNF]))[0][0] == "snf"
    assert spans(encounter("AMB", type=[SNF])) == []


def test_a_stay_that_goes_on_has_no_end() -> None:
    begun = {"start": "2031-04-05"}
    assert spans(encounter(status="in-progress", period=begun)) == [("stay", date(2031, 4, 5), None)]
    assert dropped(encounter(period=begun)) == {("Encounter", "end_unknown"): 1}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "planned"}, "status_planned"),
        ({"status": "cancelled"}, "status_cancelled"),
        ({"period": None}, "date_unknown"),
        ({"period": {"start": "2031-04"}}, "date_unknown"),
        ({"period": {"start": "2031-04-05", "end": "2031-05"}}, "end_unknown"),
        ({"period": {"start": "2031-04-05", "end": "2031-04-04"}}, "per_1"),  # R4 itself refuses it
    ],
)
def test_a_stay_without_its_days_is_counted(changes: dict[str, Any], why: str) -> None:
    assert spans(encounter(**changes)) == []
    assert dropped(encounter(**changes)) == {("Encounter", why): 1}


def test_enrolment() -> None:
    assert spans(coverage()) == [("enrolled", date(2031, 1, 1), date(2032, 1, 1))]
    assert spans(coverage(period={"start": "2031-01-01"})) == [("enrolled", date(2031, 1, 1), None)]
    assert dropped(coverage(status="cancelled")) == {("Coverage", "status_cancelled"): 1}
    assert dropped(coverage(period=None)) == {("Coverage", "date_unknown"): 1}


def test_death() -> None:
    died = {"resourceType": "Patient", "id": "p1", "deceasedDateTime": "2031-04-05"}
    assert spans(died) == [("died", date(2031, 4, 5), None)]
    assert rows(died)[0]["patient"] == "Patient/p1"
    assert dropped({**died, "deceasedDateTime": "2031"}) == {("Patient", "death_date_unknown"): 1}
    yes, no = ({"resourceType": "Patient", "id": "p1", "deceasedBoolean": each} for each in (True, False))
    assert dropped(yes) == {("Patient", "death_date_unknown"): 1}
    assert (spans(no), dropped(no)) == ([], {})
