"""Treatment episodes: what ends one, and where."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from chartseal.adherence import EpisodeRule, Percent, Span, Window, episodes
from chartseal.errors import AdherenceError

FIRST = date(2031, 1, 1)
YEAR = Window(follow_up_length=Span(365))


def supplies(*rows: tuple[int, float, float | None, str | None]) -> pa.Table:
    """Supplies of one patient: day after the first, days supply, daily dose, class."""
    return pa.table(
        {
            "patient": ["p"] * len(rows),
            "date": [FIRST + timedelta(row[0]) for row in rows],
            "days_supply": pa.array([row[1] for row in rows], pa.float64()),
            "daily_dose": pa.array([row[2] for row in rows], pa.float64()),
            "class": pa.array([row[3] for row in rows], pa.string()),
        }
    )


def found(events: pa.Table, rule: EpisodeRule, **options: Any) -> list[tuple[int, float, float, str]]:
    """Start after the first day, days, gap after, what ended it."""
    rows = episodes(events, YEAR, rule, **options).to_pylist()
    assert [row["episode"] for row in rows] == list(range(1, len(rows) + 1))
    return [((row["start"] - FIRST).days, row["days"], row["gap_days"], row["ended"]) for row in rows]


@pytest.mark.parametrize(("gap", "expected"), [(20, 1), (19, 2)])
def test_a_gap_ends_an_episode_if_it_is_longer_than_the_permissible_one(gap: int, expected: int) -> None:
    events = supplies((0, 30, 1, "A"), (50, 315, 1, "A"))
    assert len(found(events, EpisodeRule(Span(gap)))) == expected


@pytest.mark.parametrize(
    ("gap", "expected"),
    [(335, (0, 365.0, 335.0, "follow_up_end")), (334, (0, 30.0, 335.0, "gap"))],
)
def test_the_same_rule_holds_at_the_end_of_follow_up(gap: int, expected: tuple[int, float, float, str]) -> None:
    assert found(supplies((0, 30, 1, "A")), EpisodeRule(Span(gap))) == [expected]


def test_a_class_change_ends_an_episode_where_supply_ends_or_the_next_begins() -> None:
    events = supplies((0, 30, 1, "A"), (20, 30, 1, "B"), (60, 305, 1, "C"))
    assert found(events, EpisodeRule(Span(30)), carry_only_for_same_medication=True) == [
        (0, 20.0, 0.0, "class_change"),
        (20, 30.0, 10.0, "class_change"),
        (60, 305.0, 0.0, "follow_up_end"),
    ]
    assert len(found(events, EpisodeRule(Span(30), class_change=False))) == 1


def test_a_dose_change_ends_an_episode_if_so_set() -> None:
    events = supplies((0, 30, 1, "A"), (30, 30, 2, "A"), (60, 305, 2, "A"))
    assert found(events, EpisodeRule(dose_change=True)) == [
        (0, 30.0, 0.0, "dose_change"),
        (30, 335.0, 0.0, "follow_up_end"),
    ]
    assert len(found(events, EpisodeRule())) == 1


@pytest.mark.parametrize("append", [0.0, 0.5, 1.0])
def test_the_permissible_gap_is_appended_to_what_a_gap_ended(append: float) -> None:
    events = supplies((0, 30, 1, "A"), (100, 30, 1, "B"), (130, 30, 1, "A"))
    assert found(events, EpisodeRule(Span(40), append=append)) == [
        (0, 30 + 40 * append, 70.0, "gap"),
        (100, 30.0, 0.0, "class_change"),
        (130, 30 + 40 * append, 205.0, "gap"),
    ]


def test_a_sole_episode_gains_what_is_appended() -> None:
    assert found(supplies((0, 30, 1, "A")), EpisodeRule(Span(40), append=1.0)) == [(0, 70.0, 335.0, "gap")]


def test_a_permissible_gap_in_per_cent_is_of_the_last_supply() -> None:
    events = supplies((0, 30, 1, "A"), (45, 60, 1, "A"), (136, 229, 1, "A"))
    assert [row[:2] for row in found(events, EpisodeRule(Percent(50)))] == [(0, 105.0), (136, 229.0)]


def test_a_permissible_gap_in_months_is_counted_by_the_calendar() -> None:
    # Supply ends on 1 February, which has 28 days.
    rule = EpisodeRule(Span(1, "months"))
    assert len(found(supplies((0, 31, 1, "A"), (59, 306, 1, "A")), rule)) == 1
    assert len(found(supplies((0, 31, 1, "A"), (60, 305, 1, "A")), rule)) == 2


def test_days_left_are_carried_over_at_the_next_dose() -> None:
    events = supplies((0, 60, 1, "A"), (30, 30, 4, "A"), (100, 265, 4, "A"))
    gaps = [
        found(events, EpisodeRule(Span(0)), **options)[0][2]
        for options in ({}, {"consider_dosage_change": True}, {"carry_over": False})
    ]
    assert gaps == [10.0, 32.5, 40.0]


def test_part_of_a_day_of_supply_is_in_days_and_not_in_end() -> None:
    events = supplies((0, 60, 1, "A"), (30, 30, 4, "A"))
    row = episodes(events, YEAR, EpisodeRule(Span(0)), consider_dosage_change=True).to_pylist()[0]
    assert (row["days"], row["end"]) == (67.5, FIRST + timedelta(67))


def test_what_a_rule_needs_and_a_patient_lacks_is_a_reason() -> None:
    events = supplies((0, 30, None, "A"), (30, 30, 1, "A"))
    assert episodes(events, YEAR, EpisodeRule(dose_change=True))["reason"].to_pylist() == ["daily_dose_unknown"]
    assert episodes(events, YEAR)["reason"].to_pylist() == [None]
    mixed = supplies((0, 30, 1, None), (30, 30, 1, "A"))
    assert episodes(mixed, YEAR)["reason"].to_pylist() == ["class_unknown"]
    assert episodes(mixed, YEAR, EpisodeRule(class_change=False))["reason"].to_pylist() == [None]


def test_no_supply_in_follow_up_is_a_reason() -> None:
    window = Window(follow_up_start=FIRST + timedelta(1), follow_up_length=Span(10))
    rows = episodes(supplies((0, 30, 1, "A")), window).to_pylist()
    assert [(row["episode"], row["reason"]) for row in rows] == [(None, "no_event_in_follow_up")]


@pytest.mark.parametrize("rule", [EpisodeRule(Span(-1)), EpisodeRule(Percent(-0.1)), EpisodeRule(append=1.1)])
def test_an_absurd_rule_is_refused(rule: EpisodeRule) -> None:
    with pytest.raises(AdherenceError) as caught:
        episodes(supplies((0, 30, 1, "A")), YEAR, rule)
    assert caught.value.code == "settings_invalid"
