"""Days, lengths of time and permissible gaps as adherence commands take them: `2031-04-05`, `90d`, `6m`, `50%`."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction
from typing import Any

import click

from chartseal.adherence import Column, Percent, Span
from chartseal.adherence.windows import Unit

_SPAN = re.compile(r"([0-9]{1,5})([dwmy])", re.ASCII)
_PERCENT = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,6})?)%", re.ASCII)
_UNITS: dict[str, Unit] = {"d": "days", "w": "weeks", "m": "months", "y": "years"}
_MOST: dict[Unit, int] = {"days": 36_500, "weeks": 5_200, "months": 1_200, "years": 100}
FIRST, LAST = date(1900, 1, 1), date(2199, 12, 31)
"""The days that an event may have."""
_COLUMN = "column:"
_EXPECTED_SPAN = "a number and d, w, m (calendar months) or y, of a century at most"


class OneDay(click.ParamType[Any]):
    """`2031-04-05` as a date."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read an ISO date of the days that an event may have."""
        try:
            day = value if isinstance(value, date) else date.fromisoformat(str(value))
        except ValueError:
            self.fail("expected a date as 2031-04-05", param, ctx)
        if not FIRST <= day <= LAST:
            self.fail(f"expected a date from {FIRST} to {LAST}", param, ctx)
        return day


class Length(click.ParamType[Any]):
    """`90d`, `12w`, `6m`, `2y` as a Span; of days alone where these must be counted the same for all."""

    name = "length"

    def __init__(self, *, days_alone: bool = False, least: int = 0) -> None:
        self._days_alone, self._least = days_alone, least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Span:
        """Read a length of time."""
        span = value if isinstance(value, Span) else _span(str(value))
        if span is None or span.count < self._least:
            self.fail(f"expected {_EXPECTED_SPAN}" + (", not 0" if self._least else ""), param, ctx)
        if self._days_alone and span.unit not in ("days", "weeks"):
            self.fail("expected days or weeks: months have no fixed days", param, ctx)
        return Span(span.count * 7) if self._days_alone and span.unit == "weeks" else span


class Gap(click.ParamType[Any]):
    """A permissible gap: `60d`, or `50%` of the days of the supply before it."""

    name = "gap"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Span | Percent:
        """Read a length of time, or a percentage."""
        if isinstance(value, Span | Percent):
            return value
        percent = _percent(str(value))
        gap = _span(str(value)) if percent is None else Percent(percent)
        if gap is None:
            self.fail(f"expected {_EXPECTED_SPAN}, or a percentage as 50%", param, ctx)
        return gap


class Share(click.ParamType[Any]):
    """`50%` as 0.5; at most 100 %."""

    name = "percentage"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a percentage."""
        if isinstance(value, float):
            return value
        percent = _percent(str(value))
        if percent is None or percent > 100:
            self.fail("expected a percentage from 0% to 100%", param, ctx)
        return percent / 100


class Proportion(click.ParamType[Any]):
    """`80%` as a Fraction, exactly; above 0 % and at most 100 %."""

    name = "percentage"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """Read a percentage."""
        if isinstance(value, Fraction):
            return value
        found = _PERCENT.fullmatch(str(value))
        share = Fraction(found[1]) / 100 if found else Fraction(0)
        if not 0 < share <= 1:
            self.fail("expected a percentage above 0% and up to 100%, as 80%", param, ctx)
        return share


class Start(click.ParamType[Any]):
    """Where a window begins: a date, `180d` after something, or `column:NAME`, which tells it for each patient."""

    name = "start"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date | Span | Column:
        """Read a start."""
        if isinstance(value, date | Span | Column):
            return value
        text = str(value)
        if text.startswith(_COLUMN) and len(text) > len(_COLUMN):
            return Column(text.removeprefix(_COLUMN))
        start = _span(text)
        if start is not None:
            return start
        try:
            day = date.fromisoformat(text)
        except ValueError:
            self.fail("expected a date as 2031-04-05, a length as 180d, or column:NAME", param, ctx)
        return OneDay().convert(day, param, ctx)


def _span(text: str) -> Span | None:
    found = _SPAN.fullmatch(text)
    if found is None:
        return None
    span = Span(int(found[1]), _UNITS[found[2]])
    return span if span.count <= _MOST[span.unit] else None


def _percent(text: str) -> float | None:
    found = _PERCENT.fullmatch(text)
    return None if found is None else float(found[1])
