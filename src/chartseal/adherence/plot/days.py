"""Days of a picture, and which of them a patient's windows hold."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from chartseal.adherence.windows import Column, Span, Window, days_since_epoch
from chartseal.errors import AdherenceError


@dataclass(frozen=True)
class Days:
    """From `start` up to but not including `end`."""

    start: date
    end: date

    @property
    def length(self) -> int:
        """How many they are; 0 where they end before they start."""
        return max((self.end - self.start).days, 0)


def instant(day: date) -> int:
    """Its first moment in UTC, in milliseconds since 1970: how a picture counts, which knows no time zone."""
    return days_since_epoch(day) * 86_400_000


def windows_of(window: Window, row: Mapping[str, Any], first_day: date) -> tuple[Days, Days]:
    """Follow-up and observation of the patient whom `row` is of and whose first supply is on `first_day`.

    The kernel reckons them by itself; these are for drawing.

    Raises:
        AdherenceError: `window_unknown` (a column has no value) or `window_outside_calendar`.
    """
    try:
        follow_up_start = _after(window.follow_up_start, row, first_day)
        observation_start = _after(window.observation_start, row, follow_up_start)
        return (
            Days(follow_up_start, _after(window.follow_up_length, row, follow_up_start)),
            Days(observation_start, _after(window.observation_length, row, observation_start)),
        )
    except (OverflowError, ValueError) as exc:
        raise AdherenceError("the window leaves the calendar", "window_outside_calendar") from exc


def _after(setting: Span | date | Column, row: Mapping[str, Any], origin: date) -> date:
    if isinstance(setting, Span):
        return _add(origin, setting)
    found = row[setting.name] if isinstance(setting, Column) else setting
    if found is None:
        raise AdherenceError("a column of the window has no value for this patient", "window_unknown")
    return found if isinstance(found, date) else origin + timedelta(int(found))


def _add(day: date, span: Span) -> date:
    if span.unit in ("days", "weeks"):
        return day + timedelta(span.count * (7 if span.unit == "weeks" else 1))
    months = day.year * 12 + day.month - 1 + span.count * (12 if span.unit == "years" else 1)
    year, month = divmod(months, 12)
    has = calendar.monthrange(year, month + 1)[1]
    # As the kernel: a month's missing day is the first of the next.
    return date(year, month + 1, day.day) if day.day <= has else date(year, month + 1, has) + timedelta(1)
