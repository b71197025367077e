"""Durations and moments as commands take them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_DURATION = re.compile(r"([1-9][0-9]{0,6})([smhd])", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_LONGEST = timedelta(days=36_525)
"""A century: added to any present moment it is a date."""
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Duration(click.ParamType[Any]):
    """`90s`, `10m`, `2h`, `1d` as a timedelta."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read a duration."""
        if isinstance(value, timedelta):
            return value
        found = _DURATION.fullmatch(str(value))
        if not found:
            self.fail("expected a number and s, m, h or d", param, ctx)
        duration = timedelta(**{_UNITS[found[2]]: int(found[1])})
        if duration > _LONGEST:
            self.fail(f"expected at most {_LONGEST.days} days", param, ctx)
        return duration


class Seconds(click.ParamType[Any]):
    """A number of seconds, from 0.1 to a day's."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        try:
            seconds = float(value)
        except ValueError:
            self.fail("expected a number of seconds", param, ctx)
        if not 0.1 <= seconds <= 86_400:  # neither is "nan", which no comparison of a range refuses
            self.fail("expected 0.1 to 86400 seconds", param, ctx)
        return seconds


class Moment(click.ParamType[Any]):
    """An ISO 8601 time with its offset from UTC, as an aware datetime."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read a time."""
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            self.fail("expected a time like 2026-11-24T15:00:00Z", param, ctx)
        if moment.tzinfo is None:
            self.fail("a time needs its offset from UTC, or Z", param, ctx)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            self.fail("expected a time that in UTC too is within the years 1 to 9999", param, ctx)


class Day(Moment):
    """A moment, or a bare date, which is its beginning in UTC, as whole Unix seconds."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a date or time."""
        if isinstance(value, int):
            return value
        text = str(value)
        moment = super().convert(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text, param, ctx)
        seconds = int(moment.timestamp())
        if seconds < 0:
            self.fail("expected a time since 1970", param, ctx)
        return seconds


class Nonce(click.ParamType[Any]):
    """32 bytes as 64 hex digits, with or without 0x."""

    name = "nonce"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Read a nonce."""
        if isinstance(value, bytes):
            return value
        digits = str(value).removeprefix("0x")
        if len(digits) != 64 or not all(char in "0123456789abcdefABCDEF" for char in digits):
            self.fail("expected 64 hex digits", param, ctx)
        return bytes.fromhex(digits)
