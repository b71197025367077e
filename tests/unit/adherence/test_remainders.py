"""Remainders pruned and special periods covered, worked by hand."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from chartseal.adherence.durations import DurationRules, durations
from chartseal.adherence.pdc import pdc
from chartseal.adherence.remainders import cover, prune, supplies
from chartseal.adherence.windows import Window
from chartseal.errors import AdherenceError
from tests.medication_events import day, number, period, prescribed, supply, table

KEEP = DurationRules("carryover", special={"stay": "carryover"}, carry_over=True)
STAY = [prescribed(0, 1), supply(0, 30), period("stay", 20, 25)]  # 0-19, then 25-34


def spans(parts: pa.Table) -> list[tuple[int | None, float | None]]:
    return [(number(row["date"]), row["days_supply"]) for row in parts.to_pylist()]


def pruned(
    rows: list[dict[str, Any]], rules: DurationRules = KEEP, **chosen: Any
) -> list[tuple[int | None, float | None]]:
    return spans(prune(durations(table(rows), rules), **chosen))


def test_what_is_left_goes_where_the_patient_refills_after_discharge() -> None:
    refill = DurationRules(special={"stay": "carryover"})
    for at, kept in ((25, False), (32, False), (33, True)):
        found = pruned([*STAY, supply(at, 30)], refill, refilled_within=7)
        assert ((25, 10) in found) is kept
        assert (at, 30) in found


def test_what_is_left_goes_where_the_patient_never_refills() -> None:
    assert pruned(STAY, not_refilled_within=30) == [(0, 20)]
    assert pruned([*STAY, supply(55, 30)], not_refilled_within=30) == [(0, 20), (25, 10), (55, 30)]
    assert pruned([*STAY, supply(56, 30)], not_refilled_within=30) == [(0, 20), (56, 30)]


def test_without_limits_nothing_goes() -> None:
    assert pruned(STAY) == [(0, 20), (25, 10)]


def test_another_medication_is_no_refill() -> None:
    other = [supply(26, 9, **{"class": "B"}), prescribed(0, 1, of="B")]
    assert (25, 10) in pruned([*STAY, *other], refilled_within=7)


def test_only_chosen_cuts_are_pruned() -> None:
    assert pruned(STAY, include=["dose_change"], not_refilled_within=30) == [(0, 20), (25, 10)]
    assert pruned(STAY, include=[], not_refilled_within=30) == [(0, 20), (25, 10)]


def test_later_parts_of_a_pruned_supply_go_too() -> None:
    rows = [*STAY, period("stay", 30, 40)]
    assert spans(durations(table(rows), KEEP)) == [(0, 20), (25, 5), (40, 5)]
    assert pruned([*rows, supply(26, 30)], refilled_within=3)[:2] == [(0, 20), (45, 30)]


def test_a_new_supply_that_waited_is_no_remainder() -> None:
    assert pruned([prescribed(0, 1), supply(22, 30), period("stay", 20, 25)], not_refilled_within=5) == [(25, 30)]


def test_keeping_all_marks_what_would_go() -> None:
    found = prune(durations(table(STAY), KEEP), not_refilled_within=30, keep_all=True)
    assert found["pruned"].to_pylist() == [False, True]


def test_supplies_of_no_days_are_not_measured() -> None:
    found = durations(table([prescribed(0, 1, 10), supply(15, 30), supply(0, 3)]), DurationRules("discard"))
    assert spans(found) == [(0, 3), (15, 0)]
    assert spans(supplies(found)) == [(0, 3)]


def covered(rows: list[dict[str, Any]], **chosen: Any) -> list[tuple[int | None, float | None]]:
    return spans(cover(durations(table(rows), KEEP), table(rows), **chosen))


def test_a_stay_between_supplies_is_covered() -> None:
    assert covered(STAY) == [(0, 20), (20, 5), (25, 10)]
    found = cover(durations(table(STAY), KEEP), table(STAY))
    assert found["begun"].to_pylist() == ["dispensed", "covered", "special_period"]
    assert found.column("class").to_pylist() == ["A", "A", "A"]
    window = Window.between(day(0), day(34))
    assert pdc(found, window)["covered_days"].to_pylist() == [35]


def test_a_stay_too_far_from_supplies_is_not_covered() -> None:
    rows = [prescribed(0, 1), supply(0, 13), supply(32, 30), period("stay", 20, 25)]
    assert (20, 5) in covered(rows, days_before=7, days_after=7)
    assert (20, 5) not in covered(rows, days_before=6, days_after=7)
    assert (20, 5) not in covered(rows, days_before=7, days_after=6)


def test_a_stay_through_which_supply_is_taken_adds_nothing() -> None:
    rows = [prescribed(0, 1), supply(0, 20), period("stay", 20, 25), supply(25, 9), supply(21, 2, event="on leave")]
    parts = durations(table(rows), DurationRules(special={}))
    assert (20, 5) not in spans(cover(parts, table(rows)))


def test_touching_stays_are_one() -> None:
    rows = [*STAY[:2], period("stay", 20, 22), period("stay", 22, 25), period("stay", 21, 24)]
    assert covered(rows) == [(0, 20), (20, 5), (25, 10)]


def test_a_stay_that_goes_on_is_not_covered() -> None:
    assert covered([*STAY[:2], period("stay", 20, None)]) == [(0, 20)]


def test_other_kinds_of_periods_are_covered_when_chosen() -> None:
    assert covered(STAY, kinds=["snf"]) == [(0, 20), (25, 10)]


def test_nobodys_stay_covers_nobody() -> None:
    rows = [*STAY[:2], period("stay", 20, 25, patient=None)]
    assert covered(rows) == [(0, 30)]


def test_only_durations_are_pruned() -> None:
    with pytest.raises(AdherenceError) as caught:
        prune(table(STAY))
    assert caught.value.code == "column_missing"


def test_negative_days_are_refused() -> None:
    with pytest.raises(AdherenceError) as caught:
        prune(durations(table(STAY)), refilled_within=-1)
    assert (caught.value.code, caught.value.path) == ("settings_invalid", "refilled_within")
