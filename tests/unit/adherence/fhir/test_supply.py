"""Days of supply: as stated, by quantity and dose, or not known and why."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from chartseal.adherence.fhir.members import number
from chartseal.adherence.fhir.supply import Supply, supply_of
from tests.supplies import DAILY, TABLET, UCUM, days, dosage

START = date(2031, 1, 31)
THIRTY = {"value": 30, **TABLET}


def supply(stated: Any = None, quantity: Any = None, dosages: Any = (), start: date | None = START) -> Supply:
    return supply_of(stated or {}, quantity or {}, list(dosages), start, "days_supply")


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        (days(30), 30),
        (days(2, "wk"), 14),
        (days(Decimal("10.5")), Fraction(21, 2)),
        (days(0), 0),
        (days(1, "mo"), 28),
        (days(2, "mo"), 59),
        (days(13, "mo"), 394),
    ],
)
def test_stated_days(stated: Any, found: Fraction) -> None:
    assert supply(stated).days == found


@pytest.mark.parametrize("start", [date(2031, 1, 31), date(2032, 1, 31), date(2031, 2, 28)])
def test_a_month_is_the_calendar_s(start: date) -> None:
    assert supply(days(1, "mo"), start=start).days == {31: 28 + (start.year == 2032), 28: 28}[start.day]
    assert supply(days(1, "mo"), start=start).how == "days_supply_calendar_months"


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        (days(30, "h"), "duration_unit"),
        (days(1, "a"), "duration_unit"),
        ({"value": 30}, "duration_unit"),
        ({"value": 30, "unit": "days"}, "duration_unit"),
        ({"value": 30, "system": "urn:example", "code": "d"}, "duration_unit"),
        ({"system": UCUM, "code": "d"}, "duration_invalid"),
        ({**days(30), "comparator": "<"}, "duration_invalid"),
        (days(1.5, "mo"), "duration_invalid"),
        (days(1_000_000, "mo"), "duration_invalid"),
    ],
)
def test_other_durations_are_no_estimate(stated: Any, why: str) -> None:
    stated = json.loads(json.dumps(stated), parse_float=Decimal)
    assert supply(stated) == Supply(reason=why)


def test_months_need_a_day_to_count_from() -> None:
    assert supply(days(1, "mo"), start=None).reason == "duration_invalid"
    assert supply(days(1, "wk"), start=None).days == 7


def test_quantity_by_dose() -> None:
    assert supply(quantity=THIRTY, dosages=[dosage()]) == Supply(Fraction(30), Fraction(1), "quantity_per_dose")
    assert supply(quantity=THIRTY, dosages=[dosage(dose=3)]).days == 10
    weekly = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk"}}
    assert supply(quantity={"value": 4, **TABLET}, dosages=[dosage(weekly)]).days == 28


def test_numbers_are_exact() -> None:
    tenth = json.loads('{"value": 0.1}', parse_float=Decimal)
    assert number(tenth, "value") == Fraction(1, 10) != Fraction(0.1)
    dose = dosage(dose=Decimal("0.1"))
    assert supply(quantity={"value": 3, **TABLET}, dosages=[dose]).days == 30


def test_stated_days_come_before_quantity_and_dose() -> None:
    found = supply(days(28), THIRTY, [dosage()])
    assert found == Supply(Fraction(28), Fraction(1), "days_supply")


def test_unreadable_days_leave_quantity_and_dose() -> None:
    assert supply(days(30, "h"), THIRTY, [dosage()]).how == "quantity_per_dose"
    assert supply(days(30, "h"), THIRTY).reason == "duration_unit"


@pytest.mark.parametrize(
    ("dosages", "why"),
    [
        ([], "dosage_missing"),
        ([dosage(asNeededBoolean=True)], "as_needed"),
        ([dosage(asNeededCodeableConcept={"text": "pain"})], "as_needed"),
        ([dosage(), dosage()], "dosages_without_sequence"),
        ([dosage(sequence=1), dosage(sequence=2)], "dosages_consecutive"),
        ([dosage(doseAndRate=[{"doseRange": {"low": {"value": 1, **TABLET}}}])], "dose_range"),
        ([dosage(doseAndRate=None)], "dose_missing"),
        ([dosage(doseAndRate=[{"rateQuantity": {"value": 1}}])], "dose_missing"),
        ([dosage(doseAndRate=[{"doseQuantity": {"value": 1}}])], "dose_unit_missing"),
        ([dosage(doseAndRate=[{"doseQuantity": {"value": 0, **TABLET}}])], "dose_invalid"),
        ([dosage(doseAndRate=[{"doseQuantity": {"value": each, **TABLET}} for each in (1, 2)])], "dose_several"),
        ([dosage(doseAndRate=[{"doseQuantity": {"value": 1, "system": UCUM, "code": "mg"}}])], "units_unlike"),
        ([dosage(timing=None)], "timing_missing"),
    ],
)
def test_what_no_dose_follows_from(dosages: list[Any], why: str) -> None:
    assert supply(quantity=THIRTY, dosages=dosages).reason == why


@pytest.mark.parametrize(
    ("quantity", "why"),
    [
        (None, "quantity_missing"),
        ({"value": 30}, "quantity_unit_missing"),
        ({"value": 0, **TABLET}, "quantity_invalid"),
        ({"value": 30, "comparator": ">", **TABLET}, "quantity_invalid"),
        ({"value": 30, "unit": "TAB"}, "units_unlike"),
        ({"value": 30, "system": UCUM, "code": "TAB"}, "units_unlike"),
    ],
)
def test_what_no_quantity_follows_from(quantity: Any, why: str) -> None:
    assert supply(quantity=quantity, dosages=[dosage()]).reason == why


def test_instructions_of_one_sequence_hold_together() -> None:
    morning, night = ({"repeat": {"when": [each]}} for each in ("MORN", "HS"))
    assert supply(quantity=THIRTY, dosages=[dosage(morning, sequence=1), dosage(night, 2, sequence=1)]).days == 10


def test_not_as_needed_is_a_dose() -> None:
    assert supply(quantity=THIRTY, dosages=[dosage(DAILY, asNeededBoolean=False)]).days == 30


def test_equal_doses_ordered_and_calculated_are_one() -> None:
    dose = {"doseQuantity": {"value": 2, **TABLET}}
    assert supply(quantity=THIRTY, dosages=[dosage(doseAndRate=[dose, dose])]).days == 15


def test_words_are_units_where_neither_has_a_code() -> None:
    dose = dosage(doseAndRate=[{"doseQuantity": {"value": 1, "unit": "Tablet"}}])
    assert supply(quantity={"value": 30, "unit": "tablet"}, dosages=[dose]).days == 30
