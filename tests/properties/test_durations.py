"""Event durations beside a reference that walks day by day, written from the description alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.adherence.durations import DurationRules, Method, durations
from tests.medication_events import number, period, prescribed, supply, table

LAST = 400
"""No day of a reference is later; supplies and periods below end well before."""

Taken = dict[int, tuple[Fraction, int]]
"""Of one supply: the share of each day that it covers, and the dose."""


@dataclass(frozen=True)
class History:
    supplies: tuple[tuple[int, int], ...]  # day, quantity
    prescriptions: tuple[tuple[int, int, int | None], ...]  # day, dose, end
    visits: tuple[int, ...]
    stays: tuple[tuple[int, int], ...]
    holidays: tuple[tuple[int, int], ...]


def _episode(history: History, day: int, rules: DurationRules) -> tuple[int | None, int | None]:
    """The dose prescribed on a day, and the last dose before it."""
    started = [each for each in history.prescriptions if each[0] <= day]
    if not started:
        return None, None
    start, dose, end = started[-1]
    visits = [each for each in (*history.visits, *(rx[0] for rx in history.prescriptions)) if start < each <= day]
    ended = (end is not None and day >= end) or (rules.renew and bool(visits))
    return (None if ended else dose), dose


def _method(history: History, day: int, rules: DurationRules) -> Method:
    """What the special period that began last asks for; the strictest, of those that began on one day."""
    running = [(start, rules.special["stay"]) for start, end in history.stays if start <= day < end]
    running += [(start, rules.special["holiday"]) for start, end in history.holidays if start <= day < end]
    order = get_args(Method)
    return max(running, key=lambda each: (each[0], order.index(each[1])))[1] if running else "continue"


def _use(history: History, rules: DurationRules, start: int, quantity: int) -> tuple[Taken, int] | None:
    """What is taken of a supply, and the first day after; None where no prescription came before."""
    left, taken, first_dose = Fraction(quantity), Taken(), None
    day, last = start, start
    while left > 0 and day < LAST:
        dose, earlier = _episode(history, day, rules)
        if earlier is None:
            return None
        method = rules.interruption if dose is None else _method(history, day, rules)
        if method == "discard":
            break
        if method == "continue":
            used = (first_dose if first_dose and not rules.split_on_dose_change else None) or dose or earlier
            first_dose = first_dose or used
            taken[day] = (min(Fraction(1), left / used), used)
            left -= min(left, Fraction(used))
            last = day + 1
        day += 1
    return taken, (last if left == 0 or day >= LAST else day)  # what waits for ever keeps no other supply waiting


def reference(history: History, rules: DurationRules) -> list[Taken | None]:
    found: list[Taken | None] = []
    free = 0
    for start, quantity in sorted(history.supplies):
        used = _use(history, rules, max(start, free) if rules.carry_over else start, quantity)
        found.append(used[0] if used else None)
        if used:
            free = max(free, used[1])
    return found


def kernel(history: History, rules: DurationRules) -> list[Taken | None]:
    """The parts of each supply, spread over their days."""
    rows = [supply(at, quantity) for at, quantity in history.supplies]
    rows += [prescribed(at, dose, end) for at, dose, end in history.prescriptions]
    rows += [prescribed(at, 1, None, of="B") for at in history.visits]
    rows += [period("stay", *each) for each in history.stays] + [period("holiday", *each) for each in history.holidays]
    found: dict[int, Taken | None] = defaultdict(dict)
    for row in durations(table(rows), rules).to_pylist():
        if row["class"] == "A":
            found[row["supply"]] = (
                None if row["days_supply"] is None else {**(found[row["supply"]] or {}), **_spread(row)}
            )
    return [found[each] for each in sorted(found)]


def _spread(row: dict[str, Any]) -> Taken:
    days, start = row["days_supply"], number(row["date"])
    assert start is not None
    return {start + at: (Fraction(min(1.0, days - at)), int(row["daily_dose"])) for at in range(ceil(days - 1e-9))}


def _periods() -> st.SearchStrategy[tuple[tuple[int, int], ...]]:
    spans = st.tuples(st.integers(0, 80), st.integers(1, 20)).map(lambda each: (each[0], each[0] + each[1]))
    return st.lists(spans, max_size=3).map(tuple)


@st.composite
def histories(draw: st.DrawFn) -> History:
    days = draw(st.lists(st.integers(0, 60), unique=True, max_size=4).map(sorted))
    ends = st.none() | st.integers(1, 30)
    prescriptions = [(at, draw(st.integers(1, 4)), draw(ends)) for at in days]
    return History(
        supplies=tuple(draw(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 60)), max_size=3))),
        prescriptions=tuple((at, dose, None if end is None else at + end) for at, dose, end in prescriptions),
        visits=tuple(draw(st.lists(st.integers(0, 80), max_size=2))),
        stays=draw(_periods()),
        holidays=draw(_periods()),
    )


METHODS = st.sampled_from(get_args(Method))
RULES = st.builds(
    DurationRules,
    interruption=METHODS,
    special=st.fixed_dictionaries({"stay": METHODS, "holiday": METHODS}),
    split_on_dose_change=st.booleans(),
    carry_over=st.booleans(),
    renew=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(histories(), RULES)
def test_parts_are_those_of_the_reference(history: History, rules: DurationRules) -> None:
    expected, found = reference(history, rules), kernel(history, rules)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        if theirs is None:
            assert ours is None
            continue
        assert ours is not None
        assert {at: dose for at, (_, dose) in ours.items()} == {at: dose for at, (_, dose) in theirs.items()}
        for at, (share, _) in theirs.items():
            assert ours[at][0] == pytest.approx(share, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(histories(), RULES, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(history: History, rules: DurationRules, random: Any) -> None:
    rows = [supply(at, quantity) for at, quantity in history.supplies]
    rows += [prescribed(at, dose, end) for at, dose, end in history.prescriptions]
    rows += [period("stay", *each) for each in history.stays]
    mixed = random.sample(rows, len(rows))
    assert durations(table(mixed), rules).to_pylist() == durations(table(rows), rules).to_pylist()


@settings(max_examples=100, deadline=None)
@given(histories(), RULES)
def test_quantity_is_taken_or_left(history: History, rules: DurationRules) -> None:
    """What parts took and the last one's leftover make the quantity dispensed."""
    rows = [supply(at, quantity) for at, quantity in history.supplies] + [prescribed(0, 2), prescribed(30, 3, 50)]
    rows += [period("stay", *each) for each in history.stays]
    found = durations(table(rows), rules).to_pylist()
    for which in {row["supply"] for row in found}:
        mine = [row for row in found if row["supply"] == which]
        taken = sum(row["days_supply"] * (row["daily_dose"] or 0) for row in mine)
        assert taken + mine[-1]["leftover"] == pytest.approx(mine[0]["quantity"])
