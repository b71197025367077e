"""Time to initiation, worked by hand."""

from __future__ import annotations

from typing import Any

import pytest

from chartseal.adherence.initiation import initiation
from chartseal.errors import AdherenceError
from tests.medication_events import day, period, prescribed, supply, table


def measured(*rows: dict[str, Any], until: int = 100, within_days: int = 30) -> dict[str, Any]:
    [row] = initiation(table(rows), day(until), within_days=within_days).to_pylist()
    return dict(row)


def short(*rows: dict[str, Any], until: int = 100) -> tuple[Any, ...]:
    row = measured(*rows, until=until)
    return row["days"], row["initiated"], row["primary_nonadherent"], row["censored_by"]


def test_days_to_the_first_supply() -> None:
    row = measured(prescribed(5, 1, event="first"), prescribed(9, 1), supply(12, 30, event="bought"), supply(15, 30))
    assert (row["first_prescription"], row["first_supply"], row["days"]) == (day(5), day(12), 7)
    assert (row["prescription"], row["supply_event"]) == ("first", "bought")
    assert (row["initiated"], row["primary_nonadherent"], row["censored_by"]) == (True, False, None)


def test_the_last_day_within_and_the_day_after() -> None:
    assert short(prescribed(0, 1), supply(30, 30)) == (30, True, False, None)
    assert short(prescribed(0, 1), supply(31, 30)) == (31, True, True, None)


def test_observed_long_enough_to_tell_or_not() -> None:
    assert short(prescribed(0, 1), until=30) == (31, False, True, "end_of_data")
    assert short(prescribed(0, 1), until=29) == (30, False, None, "end_of_data")


def test_a_supply_after_the_end_is_not_seen() -> None:
    assert short(prescribed(0, 1), supply(20, 30), until=19) == (20, False, None, "end_of_data")
    assert short(prescribed(0, 1), supply(20, 30), until=20) == (20, True, False, None)


def test_death_ends_observation_with_its_day() -> None:
    assert short(prescribed(0, 1), period("died", 10, None)) == (11, False, None, "died")
    assert short(prescribed(0, 1), period("died", 30, None)) == (31, False, True, "died")


def test_enrolment_ends_observation() -> None:
    assert short(prescribed(5, 1), period("enrolled", 0, 20)) == (15, False, None, "disenrolled")
    both = (period("enrolled", 0, 20), period("enrolled", 20, 60))
    assert short(prescribed(5, 1), *both) == (55, False, True, "disenrolled")
    gap = (period("enrolled", 0, 20), period("enrolled", 21, 60))
    assert short(prescribed(5, 1), *gap) == (15, False, None, "disenrolled")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([supply(0, 30)], "no_prescription"),
        ([supply(0, 30), prescribed(1, 1)], "supplied_before_prescription"),
        ([prescribed(101, 1)], "prescribed_after_end"),
        ([prescribed(5, 1), period("died", 4, None)], "prescribed_after_end"),
        ([prescribed(5, 1), period("enrolled", 6, 90)], "not_enrolled"),
        ([prescribed(None, 1), supply(0, 30)], "prescription_date_unknown"),
        ([prescribed(0, 1), supply(None, 30)], "date_unknown"),
        ([prescribed(0, 1, patient=None)], "patient_unknown"),
    ],
)
def test_what_cannot_be_measured_says_why(rows: list[dict[str, Any]], reason: str) -> None:
    row = measured(*rows)
    assert (row["reason"], row["days"], row["initiated"], row["primary_nonadherent"]) == (reason, None, None, None)


def test_each_medication_has_its_row() -> None:
    rows = [prescribed(0, 1), supply(3, 30), prescribed(0, 1, of="B"), supply(8, 30, **{"class": "B"})]
    found = initiation(table(rows), day(100))
    assert dict(zip(found["class"].to_pylist(), found["days"].to_pylist(), strict=True)) == {"A": 3, "B": 8}


def test_no_events_are_no_rows() -> None:
    assert initiation(table([]), day(0)).num_rows == 0


def test_negative_days_are_refused() -> None:
    with pytest.raises(AdherenceError) as caught:
        initiation(table([]), day(0), within_days=-1)
    assert (caught.value.code, caught.value.path) == ("settings_invalid", "within_days")
