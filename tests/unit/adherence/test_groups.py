"""Medication groups: filters in, events by group out."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.adherence.groups import DEEPEST, LONGEST_FILTER, MOST_GROUPS, grouped
from chartseal.adherence.pdc import pdc
from chartseal.adherence.windows import Window
from chartseal.errors import AdherenceError

EVENTS = pa.table(
    {
        "patient": ["p"] * 5,
        "date": [date(2031, 1, at) for at in (1, 2, 3, 4, 5)],
        "class": ["statin", "statin", "ras", None, None],
        "ingredient": ["simvastatin", "atorvastatin", "ramipril", None, None],
        "daily_dose": [10.0, 20.0, None, 5.0, None],
        "days_supply": [30.0, 30.0, 30.0, 30.0, None],
        "kind": [None, "supply", "prescribed", None, "stay"],
        "notes": ["a", 'x" OR true --', "c", None, None],
    }
)


def members(text: str, **others: str) -> list[int]:
    """Days of the month of a group's events."""
    found = grouped(EVENTS, {"g": text, **others})
    return [row["date"].day for row in found.to_pylist() if row["group"] == "g"]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ('class == "statin"', [1, 2]),
        ("class == 'statin'", [1, 2]),
        ('class != "statin"', [3, 4]),
        ("class == null", [4]),
        ("class != null", [1, 2, 3]),
        ("daily_dose >= 10", [1, 2]),
        ("daily_dose < 10.0", [4]),
        ("not daily_dose < 10", [1, 2, 3]),
        ("date > 2031-01-02", [3, 4]),
        ("date == 2031-01-02", [2]),
        ('ingredient in ["simvastatin", "ramipril"]', [1, 3]),
        ('ingredient in ["simvastatin", null]', [1, 4]),
        ("ingredient in [null]", [4]),
        ('not ingredient in ["simvastatin"]', [2, 3, 4]),
        ('ingredient starts_with "a"', [2]),
        ('not ingredient starts_with "a"', [1, 3, 4]),
        ('class == "ras" or class == "statin" and daily_dose >= 20', [2, 3]),
        ('(class == "ras" or class == "statin") and daily_dose >= 20', [2]),
        ("`notes` == 'x\" OR true --'", [2]),
        ("notes == 'a'", [1]),
    ],
)
def test_filters(text: str, days: list[int]) -> None:
    assert members(text) == days


def test_groups_refer_to_groups_in_any_order() -> None:
    assert members("not b", b='group("all statins")', **{"all statins": 'class == "statin"'}) == [3, 4]
    assert members("not low", low="daily_dose < 20") == [2, 3]


def test_an_event_may_be_in_several_groups_and_periods_in_none() -> None:
    found = grouped(EVENTS, {"low": "daily_dose < 15", "statins": 'class == "statin"'}, others="rest")
    by_group: dict[Any, list[int]] = {}
    for row in found.to_pylist():
        by_group.setdefault(row["group"], []).append(row["date"].day)
    assert by_group == {"low": [1, 4], "statins": [1, 2], "rest": [3], None: [5]}


def test_groups_are_measured_apart() -> None:
    found = pdc(grouped(EVENTS, {"statins": 'class == "statin"'}), Window.between(date(2031, 1, 1), date(2031, 1, 30)))
    assert found.select(["group", "covered_days"]).to_pylist() == [{"group": "statins", "covered_days": 30}]


@settings(deadline=None, max_examples=50)
@given(st.text(min_size=1, max_size=20).filter(lambda text: not set(text) & set("\x00\"'\n")))
def test_a_text_is_a_value_and_never_a_part_of_the_query(text: str) -> None:
    rows = pa.table({"patient": [1, 2], "class": [text, "' OR true --"]})
    assert grouped(rows, {"g": f'class == "{text}"'})["patient"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("", "group_syntax", "g:1:1"),
        ("class ==", "group_syntax", "g:1:9"),
        ('class == "a" and\n  $', "group_syntax", "g:2:3"),
        ('"a" == class', "group_syntax", "g:1:1"),
        ('klass == "a"', "group_column_unknown", "g:1:1"),
        ("class == 3", "group_type", "g:1:10"),
        ('daily_dose == "3"', "group_type", "g:1:15"),
        ("daily_dose == 2031-01-01", "group_type", "g:1:15"),
        ("date > 2031-02-30", "group_type", "g:1:8"),
        ('class < "a"', "group_type", "g:1:7"),
        ("daily_dose < null", "group_type", "g:1:12"),
        ('daily_dose starts_with "1"', "group_type", "g:1:24"),
        ('class == "a" or statins', "group_unknown", "g:1:17"),
        ("g", "group_cycle", "g"),
        ("daily_dose == " + "1" * 31, "group_limit", "g:1:15"),
        ("not " * DEEPEST + "class == null", "group_limit", "g"),
        (" " * LONGEST_FILTER + "g", "group_limit", "g"),
    ],
)
def test_what_is_no_filter_is_refused_with_its_place(text: str, code: str, path: str) -> None:
    with pytest.raises(AdherenceError) as caught:
        grouped(EVENTS, {"g": text})
    assert (caught.value.code, caught.value.path) == (code, path)


def test_filters_at_their_limits_are_taken() -> None:
    assert members("not " * (DEEPEST - 2) + "class == null") == [4]
    assert members("class == null".ljust(LONGEST_FILTER)) == [4]
    chain = {f"g{at}": f"g{at - 1} or g{at - 1}" if at else "class == null" for at in range(MOST_GROUPS)}
    assert grouped(EVENTS, chain).num_rows == MOST_GROUPS + 1


def test_a_long_circle_is_found() -> None:
    with pytest.raises(AdherenceError) as caught:
        grouped(EVENTS, {"a": "b", "b": "not c", "c": "a or class == null"})
    assert caught.value.code == "group_cycle"


@pytest.mark.parametrize("name", ["", "x" * 257, 'a"b', "a\nb"])
def test_names_are_short_and_visible(name: str) -> None:
    with pytest.raises(AdherenceError) as caught:
        grouped(EVENTS, {name: "class == null"})
    assert caught.value.code == "group_limit"


def test_too_many_groups_are_refused() -> None:
    with pytest.raises(AdherenceError) as caught:
        grouped(EVENTS, {f"g{at}": "class == null" for at in range(MOST_GROUPS + 1)})
    assert caught.value.code == "group_limit"


def test_events_that_have_groups_are_refused() -> None:
    with pytest.raises(AdherenceError) as caught:
        grouped(EVENTS.append_column("Group", pa.array(["g"] * 5)), {})
    assert caught.value.code == "column_twice"


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(AdherenceError) as caught:
        grouped(3, {})
    assert caught.value.code == "table_unreadable"
