"""Dates of R4 and how searches compare them, beside an oracle of days."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from chartseal.node.fhir.dates import PREFIXES, compares, read_date, stretch


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", datetime(2026, 1, 1), datetime(2026, 12, 31, 23, 59, 59, 999_999)),
        ("2024-02", datetime(2024, 2, 1), datetime(2024, 2, 29, 23, 59, 59, 999_999)),
        ("2026-05-04", datetime(2026, 5, 4), datetime(2026, 5, 4, 23, 59, 59, 999_999)),
        ("2026-05-04T09:30", datetime(2026, 5, 4, 9, 30), datetime(2026, 5, 4, 9, 30, 59, 999_999)),
        ("2026-05-04T09:30:05Z", datetime(2026, 5, 4, 9, 30, 5), datetime(2026, 5, 4, 9, 30, 5, 999_999)),
        ("2026-05-04T09:30:60Z", datetime(2026, 5, 4, 9, 30, 59), datetime(2026, 5, 4, 9, 30, 59, 999_999)),
        (
            "2026-05-04T09:30:05.5+02:00",
            datetime(2026, 5, 4, 9, 30, 5, 500_000),
            datetime(2026, 5, 4, 9, 30, 5, 500_000),
        ),
        ("9999-12-31", datetime(9999, 12, 31), datetime(9999, 12, 31, 23, 59, 59, 999_999)),
        ("0001", datetime(1, 1, 1), datetime(1, 12, 31, 23, 59, 59, 999_999)),
    ],
)
def test_dates_are_stretches(text: str, first: datetime, last: datetime) -> None:
    found = read_date(text)
    assert found is not None
    assert (found.first, found.last) == (first, last)


@pytest.mark.parametrize(
    "text",
    [
        *("", "26", "2026-1", "2026-00", "2026-13", "2026-02-29", "0000", "20260504", "٢٠٢٦", "2026-05-04T"),
        *("2026-05-04T24:00", "2026-05-04T09:30:61Z", "2026-05-04T09:30+25:00", "2026-05-04T09:30:05Zx"),
        "0001-01-01T00:00:00+01:00",
    ],
)
def test_other_texts_are_no_dates(text: str) -> None:
    assert read_date(text) is None


def days(text: str) -> set[date]:
    found = read_date(text)
    assert found is not None
    return {date.fromordinal(at) for at in range(found.first.date().toordinal(), found.last.date().toordinal() + 1)}


def oracle(prefix: str, wanted: set[date], found: set[date]) -> bool:
    """The same on sets of whole days."""
    return {
        "eq": found <= wanted,
        "ne": not found <= wanted,
        "gt": max(found) > max(wanted),
        "lt": min(found) < min(wanted),
        "ge": max(found) >= min(wanted),
        "le": min(found) <= max(wanted),
        "sa": min(found) > max(wanted),
        "eb": max(found) < min(wanted),
    }[prefix]


TEXTS = ("2025", "2026", "2026-04", "2026-05", "2026-05-03", "2026-05-04", "2026-05-31", "2027")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixes_are_as_on_sets_of_days(prefix: str) -> None:
    for wanted_text in TEXTS:
        wanted = read_date(wanted_text)
        assert wanted is not None
        for start in TEXTS:
            for end in TEXTS:
                found = stretch(start, end)
                assert found is not None
                covered = {
                    date.fromordinal(at) for at in range(min(days(start)).toordinal(), max(days(end)).toordinal() + 1)
                }
                if covered:
                    assert compares(prefix, wanted, found) is oracle(prefix, days(wanted_text), covered), (start, end)


def test_open_periods_go_on() -> None:
    wanted = read_date("2026-05-04")
    assert wanted is not None
    begun, ended = stretch("2026-05-01", ""), stretch("", "2026-05-10")
    assert begun is not None
    assert ended is not None
    assert [prefix for prefix in PREFIXES if compares(prefix, wanted, begun)] == ["ne", "gt", "lt", "ge", "le"]
    assert [prefix for prefix in PREFIXES if compares(prefix, wanted, ended)] == ["ne", "gt", "lt", "ge", "le"]
    assert stretch("", "") is stretch("no date", "") is None


def test_a_day_is_the_one_that_is_written() -> None:
    """Shortly before midnight in New York it is the next day in Greenwich."""
    late, wanted = "2026-05-04T23:30:00-04:00", read_date("2026-05-04")
    assert wanted is not None
    as_written = stretch(late, late)
    assert as_written is not None
    assert compares("eq", wanted, as_written)
    instant = read_date("2026-05-05T03:30:00Z")
    assert instant is not None
    in_greenwich = stretch(late, late, UTC)
    assert in_greenwich is not None
    assert compares("eq", instant, in_greenwich)
    assert in_greenwich.days() == (date(2026, 5, 5), date(2026, 5, 5))
