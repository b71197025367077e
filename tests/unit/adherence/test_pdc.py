"""PDC by hand: whole days, forward shift, combinations, days to date; and beside a day-by-day reference."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.adherence import Span, Window, covered, pdc
from chartseal.errors import AdherenceError

START = date(2031, 1, 1)
DAYS_100 = Window.between(START, START + timedelta(99))

Fill = tuple[int, float, str | None]
"""Day after START, days supply, ingredient."""


def table(fills: list[Fill], **columns: list[Any]) -> pa.Table:
    return pa.table(
        {
            "patient": pa.array(["p"] * len(fills), pa.string()),
            "date": pa.array([START + timedelta(day) for day, _, _ in fills], pa.date32()),
            "days_supply": pa.array([days for _, days, _ in fills], pa.float64()),
            "ingredient": pa.array([ingredient for _, _, ingredient in fills], pa.string()),
            **columns,
        }
    )


def one(fills: list[Fill], window: Window = DAYS_100, **options: Any) -> dict[str, Any]:
    (row,) = pdc(table(fills), window, **options).to_pylist()
    assert isinstance(row, dict)
    return row


def test_every_column_of_one_patient() -> None:
    assert one([(0, 30, "a"), (20, 30, "a"), (70, 10.9, "a")]) == {
        "patient": "p",
        "fills": 3,
        "first_fill": START,
        "last_fill": START + timedelta(70),
        "period_start": START,
        "period_days": 100,
        "covered_days": 70,
        "pdc": 0.7,
        "adherent": False,
        "gap_days": 30,
        "gap_days_allowed": 20,
        "gap_days_left": -10,
        "supply_end": START + timedelta(80),
        "reason": None,
    }


def test_supplies_of_one_ingredient_wait_and_push_on_the_next() -> None:
    assert one([(0, 30, "a"), (10, 30, "a"), (55, 30, "a")])["covered_days"] == 90
    assert one([(0, 30, "a"), (10, 30, "b"), (55, 30, "a")])["covered_days"] == 70


def test_what_waits_for_what() -> None:
    fills: list[Fill] = [(0, 30, "a"), (10, 30, "b"), (20, 30, "b")]
    waits = {shift: one(fills, shift=shift)["covered_days"] for shift in ("ingredient", "class", "none")}
    assert waits == {"ingredient": 70, "class": 90, "none": 50}


def test_a_combination_waits_in_each_of_its_ingredients() -> None:
    assert one([(0, 30, "a"), (10, 30, "a | b")])["covered_days"] == 60
    assert one([(0, 30, "a"), (10, 30, "a|b"), (35, 30, "b")])["covered_days"] == 70


def test_half_a_day_covers_the_day_of_the_fill() -> None:
    assert [one([(0, days, "a")])["covered_days"] for days in (0.5, 1.0, 1.9, 2.0)] == [1, 1, 1, 2]


def test_supplies_from_before_the_window_count_in_the_window_alone() -> None:
    fills: list[Fill] = [(-20, 30, "a"), (50, 10, "a")]
    assert one(fills)["covered_days"] == 20
    assert one(fills)["fills"] == 1
    index = one(fills, period="from_first_fill")
    assert (index["period_start"], index["period_days"]) == (START + timedelta(50), 50)
    assert (index["covered_days"], index["fills"]) == (10, 1)


def test_a_patient_who_had_run_out_has_no_days_covered() -> None:
    assert one([(-50, 30, "a")])["pdc"] == 0
    assert one([(-50, 30, "a")], period="from_first_fill")["reason"] == "no_event_in_window"
    assert one([(100, 30, "a")])["reason"] == "no_event_in_window"


def test_eighty_of_a_hundred_days_are_enough_and_one_less_is_not() -> None:
    assert [one([(0, days, "a")])["adherent"] for days in (80, 79)] == [True, False]
    # As doubles 0.07 * 100 is above 7, so that seven of a hundred days would be too few.
    assert one([(0, 7, "a")], threshold=Fraction(7, 100))["adherent"]
    assert not one([(0, 7, "a")], threshold=Fraction(8, 100))["adherent"]


def test_pdc_to_date_and_the_gap_days_left() -> None:
    fills: list[Fill] = [(0, 30, "a"), (40, 30, "a"), (90, 30, "a")]
    found = one(fills, as_of=START + timedelta(49))
    assert (found["period_days"], found["covered_days"], found["fills"]) == (50, 40, 2)
    assert (found["gap_days"], found["gap_days_allowed"], found["gap_days_left"]) == (10, 20, 10)
    assert one(fills, as_of=START - timedelta(1))["reason"] == "no_event_in_window"
    assert one([(-9, 3, "a")], as_of=START - timedelta(1))["reason"] == "period_not_begun"


def test_missing_the_days_left_keeps_the_threshold_and_one_more_loses_it() -> None:
    left = one([(0, 10, "a")], as_of=START + timedelta(9))["gap_days_left"]
    resumed = [one([(0, 10, "a"), (10 + left + extra, 90, "a")])["adherent"] for extra in (0, 1)]
    assert (left, resumed) == (20, [True, False])


def test_an_unknown_days_supply_is_never_guessed() -> None:
    events = table([(0, 30, "a"), (30, 30, "a")]).set_column(2, "days_supply", [[30.0, None]])
    (row,) = pdc(events, DAYS_100).to_pylist()
    assert (row["pdc"], row["reason"]) == (None, "days_supply_unknown")


def test_fills_outside_follow_up_would_make_days_look_uncovered() -> None:
    short = Window(observation_start=START, observation_length=Span(100), follow_up_length=Span(60))
    assert one([(0, 30, "a")], short)["reason"] == "window_outside_follow_up"
    late = Window(Span(5), Span(730), START, Span(100))
    assert one([(0, 30, "a")], late)["reason"] == "window_outside_follow_up"


def test_groups_are_measured_apart() -> None:
    events = table([(0, 30, "a"), (0, 50, "b")], group=["x", "y"])
    assert [(row["group"], row["covered_days"]) for row in pdc(events, DAYS_100).to_pylist()] == [("x", 30), ("y", 50)]


def test_spans_of_a_timeline() -> None:
    stays = table([(0, 10, "a"), (20, 90, "a"), (5, 1, None)], kind=[None, None, "stay"])
    stays = stays.append_column("end", pa.array([None, None, START + timedelta(7)], pa.date32()))
    found = covered(stays, DAYS_100).to_pylist()
    spans = [((row["start"] - START).days, (row["end"] - START).days, row["kind"]) for row in found]
    assert spans == [(0, 10, "covered"), (10, 20, "gap"), (20, 100, "covered"), (5, 7, "stay")]
    (row,) = covered(table([(200, 10, "a")]), DAYS_100).to_pylist()
    assert (row["kind"], row["reason"]) == (None, "no_event_in_window")


@pytest.mark.parametrize("threshold", [Fraction(0), Fraction(5, 4), 0.8])
def test_thresholds_that_are_none(threshold: Any) -> None:
    with pytest.raises(AdherenceError) as caught:
        one([(0, 30, "a")], threshold=threshold)
    assert caught.value.code == "threshold_invalid"


def test_ten_thousand_years_of_supply() -> None:
    assert one([(at % 90, 3660, "a") for at in range(3000)])["supply_end"] is None


def days_covered(fills: list[Fill]) -> set[int]:
    """Day by day: each morning a patient who has some of an ingredient takes it."""
    taken: set[int] = set()
    names = {name for _, _, text in fills for name in (text or "").split("|")}
    for name in names:
        stock = 0
        for day in range(-60, 400):
            stock += sum(max(1, int(days)) for at, days, text in fills if at == day and name in (text or "").split("|"))
            if stock:
                stock -= 1
                taken.add(day)
    return taken


FILLS = st.lists(
    st.tuples(st.integers(-60, 120), st.floats(0.25, 60), st.sampled_from(["a", "b", "a|b", None])),
    min_size=1,
    max_size=8,
)


@settings(deadline=None)
@given(FILLS)
def test_beside_a_day_by_day_reference(fills: list[Fill]) -> None:
    known = [fill for fill in fills if fill[0] < 100]
    found = one(fills)
    if not known:
        assert found["reason"] == "no_event_in_window"
        return
    taken = days_covered(known)
    assert found["covered_days"] == len(taken & set(range(100)))
    assert (found["supply_end"] - START).days == max(taken) + 1


@settings(deadline=None)
@given(FILLS, st.tuples(st.integers(0, 99), st.floats(0.25, 60), st.sampled_from(["a", "b", "a|b"])))
def test_more_supply_never_lowers_pdc(fills: list[Fill], more: Fill) -> None:
    assert one([*fills, more])["covered_days"] >= (one(fills)["covered_days"] or 0)
