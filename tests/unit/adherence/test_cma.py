"""CMAs and gaps by hand: windows, ties, and why there is no estimate."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from chartseal.adherence import Column, Columns, Span, Window, cma, gaps
from chartseal.adherence.cma import CmaName
from chartseal.errors import AdherenceError

FIRST = date(2031, 1, 1)
WINDOW = Window(FIRST, Span(400), FIRST + timedelta(days=100), Span(100))
ALL: tuple[CmaName, ...] = ("CMA1", "CMA2", "CMA3", "CMA4", "CMA5", "CMA6", "CMA7", "CMA8", "CMA9")


def table(*supplies: tuple[int, float | None], **more: list[Any]) -> pa.Table:
    """One patient's supplies: day after the first of 2031, days of supply."""
    return pa.table(
        {
            "patient": ["a"] * len(supplies),
            "date": [FIRST + timedelta(days=day) for day, _ in supplies],
            "days_supply": pa.array([days for _, days in supplies], pa.float64()),
            **more,
        }
    )


def value(events: pa.Table, name: CmaName, window: Window = WINDOW, **rules: Any) -> tuple[float | None, str | None]:
    (row,) = cma(events, name, window, **rules).to_pylist()
    return row["cma"], row["reason"]


@pytest.mark.parametrize(
    ("supplies", "name", "reason"),
    [
        ([(10, 30)], "CMA2", "no_event_in_window"),
        ([(10, 30)], "CMA7", None),
        ([(201, 30)], "CMA7", "no_event_in_window"),
        ([(120, 30)], "CMA1", "one_event"),
        ([(120, 30)], "CMA2", None),
        ([(120, 30), (120, 30)], "CMA5", "interval_empty"),
        ([(200, 30)], "CMA2", "interval_empty"),
        ([(200, 30)], "CMA4", "interval_empty"),
        ([(10, 190)], "CMA8", "supplied_throughout"),
        ([(10, 189)], "CMA8", None),
        ([(120, None)], "CMA9", "days_supply_unknown"),
        ([(120, -1)], "CMA9", "days_supply_invalid"),
    ],
)
def test_why_there_is_no_estimate(supplies: list[tuple[int, float | None]], name: CmaName, reason: str | None) -> None:
    estimate, found = value(table(*supplies), name)
    assert found == reason
    assert (estimate is None) == (reason is not None)


@pytest.mark.parametrize("name", ALL)
def test_windows_that_cannot_be_observed(name: CmaName) -> None:
    events = table((120, 30), (150, 30))
    for days, reason in ((0, "window_empty"), (301, "window_outside_follow_up"), (300, None)):
        window = Window(FIRST, Span(400), FIRST + timedelta(days=100), Span(days))
        assert value(events, name, window)[1] == reason


def test_a_supply_on_the_windows_end_closes_the_last_interval() -> None:
    assert value(table((150, 30), (200, 30)), "CMA1") == (30 / 50, None)
    assert value(table((150, 30), (201, 30)), "CMA1") == (None, "one_event")


def test_no_carry_over_to_another_class() -> None:
    events = table((100, 60), (130, 30), **{"class": ["statin", "ras"]})
    assert value(events, "CMA7") == (1 - 10 / 100, None)
    assert value(events, "CMA7", carry_only_for_same_medication=True) == (1 - 40 / 100, None)


def test_days_left_at_another_dose() -> None:
    events = table((100, 60), (130, 30), daily_dose=[1.0, 2.0])
    assert value(events, "CMA7", consider_dosage_change=True) == (1 - 25 / 100, None)


def test_the_lagged_start_of_cma8() -> None:
    (row,) = cma(table((90, 30), (150, 30)), "CMA8", WINDOW).to_pylist()
    assert (row["window_start"], row["window_end"]) == (FIRST + timedelta(days=120), FIRST + timedelta(days=200))
    assert row["cma"] == 1 - 50 / 80


def test_cma0_counts() -> None:
    (row,) = cma(table((10, 30), (120, 30), (401, 30)), "CMA0", WINDOW).to_pylist()
    assert "cma" not in row
    assert (row["follow_up_supplies"], row["window_supplies"], row["reason"]) == (2, 1, None)


@pytest.mark.parametrize(
    ("rule", "column", "values", "reason"),
    [
        ("carry_only_for_same_medication", "class", ["statin", None], "class_unknown"),
        ("consider_dosage_change", "daily_dose", [1.0, None], "daily_dose_unknown"),
        ("consider_dosage_change", "daily_dose", [1.0, 0.0], "daily_dose_invalid"),
    ],
)
def test_rules_need_what_supplies_say(rule: str, column: str, values: list[Any], reason: str) -> None:
    events, rules = table((110, 30), (120, 30), **{column: values}), dict[str, Any]({rule: True})
    assert value(events, "CMA7")[1] is None
    assert value(events, "CMA7", WINDOW, **rules) == (None, reason)
    assert {row["reason"] for row in gaps(events, WINDOW, **rules).to_pylist()} == {reason}
    with pytest.raises(AdherenceError) as refused:
        cma(events.drop_columns([column]), "CMA7", WINDOW, **rules)
    assert (refused.value.code, refused.value.path) == ("column_missing", column)


def test_an_unknown_dose_outside_follow_up_is_no_reason() -> None:
    events = table((110, 30), (120, 30), (500, 30), daily_dose=[1.0, 1.0, None])
    assert value(events, "CMA7", consider_dosage_change=True)[1] is None


def test_the_order_of_rows_changes_nothing() -> None:
    more = {"class": ["x", "y"] * 6, "daily_dose": [1.0, 2.0, 4.0] * 4, "event": [str(place) for place in range(12)]}
    rows = table(*((100 + 10 * (place // 3), 30 + place % 3) for place in range(12)), **dict[str, Any](more))
    order = list(range(12))
    random.Random(7).shuffle(order)
    mixed = rows.take(order)
    for name in ALL:
        assert cma(mixed, name, WINDOW, consider_dosage_change=True) == cma(
            rows, name, WINDOW, consider_dosage_change=True
        )
    assert gaps(mixed, WINDOW) == gaps(rows, WINDOW)


def test_groups_are_measured_apart() -> None:
    events = table((100, 30), (110, 50), **{"class": ["statin", "ras"]})
    found = cma(events, "CMA6", WINDOW, columns=Columns(group="class")).to_pylist()
    assert [(row["group"], row["cma"]) for row in found] == [("ras", 1 - 40 / 90), ("statin", 1 - 70 / 100)]


def test_windows_out_of_columns() -> None:
    events = table((0, 30), (120, 30), start=[None, 2], length=[date(2031, 7, 1)] * 2)
    window = Window(FIRST, Span(400), Column("start", "months"), Column("length"))
    (row,) = cma(events, "CMA2", window).to_pylist()
    assert (row["window_start"], row["window_end"]) == (date(2031, 3, 1), date(2031, 7, 1))
    two_starts = events.set_column(events.schema.get_field_index("start"), "start", [[1, 2]])
    assert cma(two_starts, "CMA2", window)["reason"].to_pylist() == ["window_unknown"]


def test_a_row_for_each_supply() -> None:
    events = table((10, 95), (120, 30), (201, 30), (401, 30), event=["a", "b", "c", "d"])
    found = gaps(events, WINDOW).to_pylist()
    kept = ("event", "interval_days", "gap_days", "carried_over", "used", "reason")
    assert [tuple(row[name] for name in kept) for row in found] == [
        ("a", 110, 15, 0, False, None),
        ("b", 80, 50, 0, True, None),
        ("c", None, None, None, False, "after_window"),
        ("d", None, None, None, False, "outside_follow_up"),
    ]
    assert [row["reason"] for row in gaps(events, WINDOW, cma="CMA6").to_pylist()][:2] == ["before_window", None]
    assert [row["used"] for row in gaps(events, WINDOW, cma="CMA9").to_pylist()] == [True, True, False, False]


def test_supplies_outside_follow_up_are_walked_when_asked() -> None:
    window = Window(FIRST + timedelta(days=50), Span(200), FIRST + timedelta(days=100), Span(100))
    events = table((40, 90), (120, 30))
    assert gaps(events, window)["carried_over"].to_pylist() == [None, 0]
    assert gaps(events, window, outside_follow_up=True)["carried_over"].to_pylist() == [0, 10]
    with pytest.raises(AdherenceError) as refused:
        gaps(events, window, cma="CMA7", outside_follow_up=True)
    assert refused.value.code == "settings_invalid"


def test_no_such_cma() -> None:
    with pytest.raises(AdherenceError) as refused:
        cma(table((100, 30)), "CMA10", WINDOW)  # type: ignore[arg-type] # the test is that it is refused
    assert refused.value.code == "settings_invalid"
