"""Lengths of time by the calendar, as the kernel counts them."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pytest

from chartseal.adherence import Span, Window, cma

SPANS = [Span(0), Span(45), Span(7, "weeks"), Span(1, "months"), Span(13, "months"), Span(1, "years"), Span(4, "years")]


@pytest.mark.parametrize("span", SPANS, ids=str)
def test_a_span_ends_where_the_kernel_ends_it(span: Span) -> None:
    days = [date(2027, 12, 25) + timedelta(days=each) for each in range(500)]
    events = pa.table({"patient": range(len(days)), "date": days, "days_supply": [30] * len(days)})
    window = Window(Span(0), Span(9, "years"), span, Span(1, "months"))
    found = cma(events, "CMA0", window)
    starts = [span.after(day) for day in days]
    assert found["window_start"].to_pylist() == starts
    assert found["window_end"].to_pylist() == [Span(1, "months").after(start) for start in starts if start]


def test_months_of_unlike_lengths() -> None:
    assert Span(1, "months").after(date(2031, 1, 28)) == date(2031, 2, 28)
    assert Span(1, "months").after(date(2031, 1, 29)) == date(2031, 3, 1)
    assert Span(1, "years").after(date(2032, 2, 29)) == date(2033, 3, 1)
    assert Span(11, "months").after(date(2031, 1, 31)) == date(2031, 12, 31)


@pytest.mark.parametrize("span", [Span(1), Span(1, "weeks"), Span(1, "months"), Span(1, "years")], ids=str)
def test_no_day_is_past_the_calendar(span: Span) -> None:
    assert span.after(date.max) is None
    assert span.after(date(9998, 12, 30)) is not None
