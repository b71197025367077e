"""The two windows of a patient: follow-up, in which events count, and observation, in which adherence is estimated.

Source: Dima & Dediu 2017, PLoS ONE 12(4):e0174426.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, TypeAlias

Unit: TypeAlias = Literal["days", "weeks", "months", "years"]

_EPOCH = date(1970, 1, 1).toordinal()

EARLIEST = date(1900, 1, 1)
"""Where follow-up begins that takes every event."""


@dataclass(frozen=True)
class Span:
    """A length of time. A month later is the same day of the month, or the first of the next where that has none.

    So a month from 31 January holds all of February: a window's end is the first day after it.
    """

    count: int
    unit: Unit = "days"

    def after(self, day: date) -> date | None:
        """The day so long after `day`; None where the calendar of `date` has none."""
        try:
            if self.unit in ("days", "weeks"):
                return day + timedelta(days=self.count * (7 if self.unit == "weeks" else 1))
            months = day.year * 12 + day.month - 1 + self.count * (12 if self.unit == "years" else 1)
            return _in_month(months, day.day)
        except (OverflowError, ValueError):
            return None

    def to_json(self) -> dict[str, Any]:
        """As the kernel reads it."""
        return {"count": self.count, "unit": self.unit}


def _in_month(months: int, day: int) -> date:
    """That day of a month counted from year 0, or the first of the next month where it has none."""
    if day > monthrange(months // 12, months % 12 + 1)[1]:
        months, day = months + 1, 1
    return date(months // 12, months % 12 + 1, day)


@dataclass(frozen=True)
class Column:
    """A column of the events that gives a window's start or length for each patient: a date, or a number of units.

    All rows of a patient that are not null say the same; else that patient's window is unknown.
    """

    name: str
    unit: Unit = "days"

    def to_json(self) -> dict[str, Any]:
        """As the kernel reads it."""
        return {"name": self.name, "unit": self.unit}


@dataclass(frozen=True)
class Window:
    """Follow-up and observation window; each two years from the first event unless said otherwise.

    `follow_up_start` counts from the patient's first supply (with `per_group` from that of each group), and
    `observation_start` from the start of follow-up; either may be a date, the same for all. A window holds its first
    day and not its end.
    """

    follow_up_start: Span | date | Column = Span(0)
    follow_up_length: Span | Column = Span(730)
    observation_start: Span | date | Column = Span(0)
    observation_length: Span | Column = Span(730)
    per_group: bool = False

    @classmethod
    def between(cls, start: date, end: date) -> Window:
        """Observation from `start` up to and including `end`; every event up to then counts, however early."""
        length = Span((end - start).days + 1)
        follow_up = Span((end - EARLIEST).days + 1)
        return cls(EARLIEST, follow_up, start, length)

    def columns(self) -> tuple[str, ...]:
        """The columns that events must have beside their own."""
        settings = (self.follow_up_start, self.follow_up_length, self.observation_start, self.observation_length)
        return tuple(each.name for each in settings if isinstance(each, Column))

    def to_json(self) -> dict[str, Any]:
        """As the kernel reads it."""
        return {
            "follow_up_start": _start(self.follow_up_start),
            "follow_up_length": _length(self.follow_up_length),
            "observation_start": _start(self.observation_start),
            "observation_length": _length(self.observation_length),
            "per_group": self.per_group,
        }


def days_since_epoch(day: date) -> int:
    """Arrow's date32."""
    return day.toordinal() - _EPOCH


def _start(setting: Span | date | Column) -> dict[str, Any]:
    if isinstance(setting, Span):
        return {"after": setting.to_json()}
    if isinstance(setting, Column):
        return {"column": setting.to_json()}
    return {"on": days_since_epoch(setting)}


def _length(setting: Span | Column) -> dict[str, Any]:
    return {"column": setting.to_json()} if isinstance(setting, Column) else {"span": setting.to_json()}
