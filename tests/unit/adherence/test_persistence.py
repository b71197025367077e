"""Persistence by hand: gaps on either side of the permissible one, censoring, restarts, stays."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from chartseal.adherence import Window, persistence
from chartseal.errors import AdherenceError

START = date(2031, 1, 1)
WINDOW = Window.between(START, START + timedelta(199))

Row = tuple[str, int, int | None, int | None]
"""Kind, day after START, days supply, last day (as an offset, exclusive)."""


def one(rows: list[Row], **options: Any) -> dict[str, Any]:
    kinds, days, supplies, ends = zip(*rows, strict=True)
    events = pa.table(
        {
            "patient": ["p"] * len(rows),
            "kind": kinds,
            "date": [START + timedelta(day) for day in days],
            "days_supply": pa.array(supplies, pa.int32()),
            "end": pa.array([None if end is None else START + timedelta(end) for end in ends], pa.date32()),
        }
    )
    (row,) = persistence(events, WINDOW, **{"permissible_gap": 30, **options}).to_pylist()
    assert isinstance(row, dict)
    return row


def fill(day: int, days: int = 30) -> Row:
    return ("supply", day, days, None)


def test_a_gap_of_the_permissible_days_and_one_more() -> None:
    kept = one([fill(10), fill(70, 130)])
    assert (kept["discontinued"], kept["censored_by"], kept["persistent_days"]) == (False, "window", 190)
    assert kept["implementation"] == 160 / 190
    stopped = one([fill(10), fill(71, 129)])
    assert stopped == {
        "patient": "p",
        "initiation": START + timedelta(10),
        "persistent_days": 30,
        "discontinued": True,
        "discontinuation": START + timedelta(40),
        "censored_by": None,
        "restart": START + timedelta(71),
        "restarts": 1,
        "implementation": 1.0,
        "reason": None,
    }


def test_the_gap_at_the_end_is_one_that_goes_on() -> None:
    assert one([fill(0, 170)])["discontinued"] is False
    stopped = one([fill(0, 169)])
    assert (stopped["discontinued"], stopped["persistent_days"], stopped["restarts"]) == (True, 169, 0)


def test_supply_left_over_is_carried_forward() -> None:
    assert one([fill(0), fill(5), fill(90)])["discontinuation"] == START + timedelta(120)
    assert one([fill(0), fill(5), fill(90)], permissible_gap=29)["discontinuation"] == START + timedelta(60)


def test_every_restart_counts() -> None:
    found = one([fill(0), fill(70), fill(140), fill(190, 10)])
    assert (found["restart"], found["restarts"]) == (START + timedelta(70), 2)


def test_death_and_disenrolment_censor() -> None:
    died = one([fill(0, 60), ("died", 50, None, None)])
    assert (died["censored_by"], died["persistent_days"]) == ("death", 51)
    left = one([fill(0, 60), ("enrolled", -10, None, 80)])
    assert (left["censored_by"], left["persistent_days"]) == ("enrolment", 80)
    assert one([fill(0, 60), ("enrolled", -10, None, 91)])["discontinued"] is True
    assert one([fill(0, 60), ("died", -1, None, None)])["reason"] == "fill_after_death"


def test_days_of_a_stay_are_no_gap_and_use_no_supply() -> None:
    rows = [fill(0), ("stay", 20, None, 40), fill(81)]
    assert one(rows)["discontinuation"] == START + timedelta(30)
    # Ten days are left at discharge: supply to day 50, then 31 days without, or 30.
    assert one(rows, shift_stays=True)["discontinuation"] == START + timedelta(50)
    assert one([*rows[:2], fill(80)], shift_stays=True)["restarts"] == 0


def test_what_cannot_be_measured() -> None:
    assert one([fill(-50)])["reason"] == "no_event_in_window"
    assert one([("supply", 0, None, None)])["reason"] == "days_supply_unknown"
    with pytest.raises(AdherenceError) as caught:
        one([fill(0)], permissible_gap=-1)
    assert caught.value.code == "gap_invalid"


@pytest.mark.parametrize("kind", ["died", "enrolled"])
def test_a_period_of_unknown_date_is_a_reason(kind: str) -> None:
    events = pa.table(
        {
            "patient": ["p", "p"],
            "kind": ["supply", kind],
            "date": pa.array([START, None], pa.date32()),
            "days_supply": [30, None],
        }
    )
    (row,) = persistence(events, WINDOW, permissible_gap=30).to_pylist()
    assert row["reason"] == "period_date_unknown"
