"""Watching beside the same written again day by day."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.adherence import Window, pdc
from chartseal.adherence.watch import WatchPolicy, alerts_of
from chartseal.adherence.watch.event import events_of
from chartseal.adherence.watch.situations import situations
from tests.unit.adherence.watch.plain import Plain

POLICY = WatchPolicy(
    late_refill_days=3,
    permissible_gap_days=12,
    stock_days=25,
    sliding_days=20,
    drop=Fraction(1, 4),
    gap_days_left=5,
    keep_days=3_660,
)
COMPARED = frozenset({"discontinuation", "gap_days_low", "late_refill", "pdc_drop", "pdc_low", "stock_high"})
BEGIN = date(2031, 6, 1)

fill = st.builds(
    lambda after, days, ingredient: {"after": after, "days_supply": days, "ingredient": ingredient},
    st.integers(0, 30),
    st.sampled_from([0.5, 1.0, 5.0, 7.9, 10.0, 14.0, 28.0]),
    st.sampled_from(["a", "a", "a", "b"]),
)
stay = st.tuples(st.integers(-5, 150), st.one_of(st.integers(1, 20), st.none()))


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Fills one after the other with pauses and overlaps, and some stays."""
    rows: list[dict[str, Any]] = []
    day = BEGIN + timedelta(days=draw(st.integers(0, 250)))
    for each in draw(st.lists(fill, min_size=1, max_size=14)):
        day += timedelta(days=each.pop("after"))
        rows.append({**each, "date": day, "class": "statins"})
    for start, length in draw(st.lists(stay, max_size=3)):
        begun = rows[0]["date"] + timedelta(days=start)
        end = None if length is None else begun + timedelta(days=length)
        rows.append({"date": begun, "end": end, "kind": "stay"})
    return [{"patient": "p", "event": f"e/{at}", **row} for at, row in enumerate(rows)]


@settings(max_examples=250, deadline=None)
@given(histories(), st.lists(st.integers(-3, 420), min_size=1, max_size=6))
def test_what_is_active_on_a_day(rows: list[dict[str, Any]], days: list[int]) -> None:
    first = min(row["date"] for row in rows)
    for after in days:
        as_of = first + timedelta(days=after)
        plain = Plain(rows, POLICY, as_of)
        found = [each for each in alerts_of(rows, as_of, POLICY) if each.kind in COMPARED]
        if not plain.is_home(as_of):
            assert "active" not in {each.status for each in found}
            continue
        active = [each for each in found if each.status == "active"]
        told = {each.kind: each.severity if each.kind == "gap_days_low" else "" for each in active}
        assert told == plain.active()
        stocks = sum(each.kind == "stock_high" for each in active)
        assert len(told) == len(active) - max(0, stocks - 1)


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(20, 200))
def test_low_cover_is_the_kernels(rows: list[dict[str, Any]], after: int) -> None:
    """Within one spell, and without stays, a window's PDC is that of `pdc`; combinations count for each ingredient."""
    policy = dataclasses.replace(POLICY, permissible_gap_days=3_000)
    rows = [{**row, "ingredient": row["ingredient"].replace("b", "a|b")} for row in rows if "ingredient" in row]
    as_of = rows[0]["date"] + timedelta(days=after)
    window = Window.between(as_of - timedelta(days=20), as_of - timedelta(days=1))
    [measured] = pdc(pa.Table.from_pylist(rows), window, threshold=POLICY.threshold).to_pylist()
    told = {each.kind for each in alerts_of(rows, as_of, policy) if each.status == "active"}
    if measured["reason"] is None:
        assert ("pdc_low" in told) == (not measured["adherent"])


@settings(max_examples=100, deadline=None)
@given(histories(), st.integers(0, 420))
def test_what_is_over_for_long_is_passed_over_and_nothing_else(rows: list[dict[str, Any]], after: int) -> None:
    """From a day on, exactly those situations of the whole history that are not over before it."""
    since = min(row["date"] for row in rows).toordinal() + after
    events = list(events_of(rows, None, Counter()))
    policy = dataclasses.replace(POLICY, new_use_days=10, notice_days=10, overuse_window_days=20, keep_days=60)
    whole, _ = situations(events, policy, 1)
    found, _ = situations(events, policy, since)
    assert sorted(found) == sorted(each for each in whole if each.until >= since)


def test_the_comparison_meets_every_kind() -> None:
    """A history that has them all, so that agreeing above is not agreeing on nothing."""
    fills = [(0, 28), (1, 28), (90, 5), (97, 5), (105, 5), (113, 2), (150, 5)]
    rows = [
        {"patient": "p", "event": f"e/{at}", "date": date(2031, 1, 1) + timedelta(days=day), "days_supply": float(days)}
        for at, (day, days) in enumerate(fills)
    ]
    seen = set()
    for after in range(400):
        as_of = date(2031, 1, 1) + timedelta(days=after)
        active = {each.kind for each in alerts_of(rows, as_of, POLICY) if each.status == "active"} & COMPARED
        assert active == Plain(rows, POLICY, as_of).active().keys()
        seen |= active
    assert seen == COMPARED


def test_thresholds_turn_on_the_day() -> None:
    rows = [{"patient": "p", "event": "e/1", "date": date(2031, 1, 1), "days_supply": 30.0}]
    late = date(2031, 1, 31) + timedelta(days=7)
    for policy, as_of, expected in (
        (WatchPolicy(), late - timedelta(days=1), []),
        (WatchPolicy(), late, ["late_refill"]),
        (dataclasses.replace(WatchPolicy(), late_refill_days=8), late, []),
        (WatchPolicy(), date(2031, 1, 31) + timedelta(days=60), ["late_refill", "pdc_low"]),
        (WatchPolicy(), date(2031, 1, 31) + timedelta(days=61), ["discontinuation"]),
    ):
        assert sorted(each.kind for each in alerts_of(rows, as_of, policy) if each.status == "active") == expected
