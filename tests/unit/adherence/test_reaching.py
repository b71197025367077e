"""The dispensings that a report names give the number that all of them give."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.adherence.observation import ATC, Coding, report
from chartseal.errors import AdherenceError

FIRST = date(2024, 12, 1)
START, END = date(2025, 3, 1), date(2025, 4, 29)
CLASS = Coding(ATC, "C10AA")

SUPPLIES = st.lists(
    st.tuples(
        st.integers(0, 170),
        st.one_of(st.sampled_from([0.25, 1.0, 29.9, 30.0, 90.0]), st.floats(0.01, 120)),
        st.sampled_from([None, "", " ", "a", "b", " a", "a|b", "b | c", "|", "c"]),
    ),
    min_size=1,
    max_size=14,
)


def table(supplies: list[tuple[int, float, str | None]]) -> pa.Table:
    return pa.table(
        {
            "patient": ["p"] * len(supplies),
            "date": pa.array([FIRST + timedelta(days=day) for day, _, _ in supplies], pa.date32()),
            "days_supply": [days for _, days, _ in supplies],
            "class": ["statins"] * len(supplies),
            "ingredient": pa.array([ingredient for _, _, ingredient in supplies], pa.string()),
            "event": [f"MedicationDispense/{at}" for at in range(len(supplies))],
        }
    )


def covered(events: pa.Table) -> tuple[int, tuple[str, ...]]:
    made = report(events, "statins", CLASS, START, END, subject="Patient/p")
    return made.covered_days, made.derived_from


def days_by_hand(supplies: list[tuple[int, float, str | None]]) -> int:
    """Day by day, pool by pool."""
    pools: dict[str, set[int]] = {}
    for day, days, ingredient in sorted(supplies, key=lambda each: each[0]):
        for name in {part.strip() for part in (ingredient or "").split("|")} - {""} or {""}:
            pool = pools.setdefault(name, set())
            at, left = max([day, *(each + 1 for each in pool)]), max(int(days), 1)
            pool.update(range(at, at + left))
    window = set(range((START - FIRST).days, (END - FIRST).days + 1))
    return len(window & set().union(*pools.values()))


@settings(max_examples=100, deadline=None)
@given(SUPPLIES)
def test_named_dispensings_give_what_all_give(supplies: list[tuple[int, float, str | None]]) -> None:
    events = table(supplies)
    try:
        found, named = covered(events)
    except AdherenceError as exc:
        if exc.code != "no_event_in_window":
            raise
        return
    up_to_end = [each for each in supplies if each[0] <= (END - FIRST).days]
    assert found == days_by_hand(up_to_end)
    assert len(set(named)) == len(named)
    if not named:
        assert found == 0
        return
    kept = events.filter(pa.array([event in named for event in events["event"].to_pylist()]))
    assert covered(kept)[0] == found


def test_a_combination_pushes_on_each_of_its_ingredients() -> None:
    # The combination's 59 days from 1 January end with February; the supply of a, from 10 January, waits for them.
    found, named = covered(table([(31, 59.0, "a|b"), (40, 30.0, "a")]))
    assert (found, set(named)) == (30, {"MedicationDispense/0", "MedicationDispense/1"})


def test_half_a_day_of_supply_covers_its_day() -> None:
    day = (START - FIRST).days
    assert covered(table([(day, 0.5, "a"), (day, 0.5, "a")])) == (2, ("MedicationDispense/0", "MedicationDispense/1"))


def test_a_group_does_not_part_a_report() -> None:
    events = table([(95, 10.0, "a"), (110, 10.0, "a")])
    assert covered(events.append_column("group", pa.array(["x", "y"])))[0] == covered(events)[0] == 20


def test_supplies_of_centuries_end_in_no_crash() -> None:
    assert covered(table([(0, 3660.0, "a")] * 900))[0] == 60


def test_a_supply_is_named_once_and_by_something() -> None:
    events = table([(95, 10.0, "a"), (110, 10.0, "a")])
    at = events.column_names.index("event")
    same: Any = pa.array(["ExplanationOfBenefit/1"] * 2)
    assert covered(events.set_column(at, "event", same)) == (20, ("ExplanationOfBenefit/1",))
    with pytest.raises(AdherenceError) as caught:
        covered(events.set_column(at, "event", pa.nulls(2, pa.string())))
    assert caught.value.code == "event_unknown"
    with pytest.raises(AdherenceError) as caught:
        covered(events.drop_columns(["event"]))
    assert (caught.value.code, caught.value.path) == ("column_missing", "event")


def test_more_dispensings_than_a_report_names() -> None:
    with pytest.raises(AdherenceError) as caught:
        covered(table([(0, 1.0, "a")] * 10_001))
    assert caught.value.code == "dispensings_many"
