"""R4's dates as stretches of time, and the prefixes by which searches compare them.

A date is compared as it is written, in its own offset, where the search names no time of day; else in the offset of the
search. What has no offset counts in the other's. Source: hl7.org/fhir/R4/search.html#date.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")

_FORM = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII
)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A date as the first and the last moment that it may mean; None where it is open."""

    first: datetime | None
    last: datetime | None

    def days(self) -> tuple[date | None, date | None]:
        """Its first and last day as written."""
        return (self.first.date() if self.first else None, self.last.date() if self.last else None)


@dataclass(frozen=True, slots=True)
class Written:
    """One date as written: moments without an offset, and the offset apart."""

    first: datetime
    last: datetime
    offset: timezone | None
    has_time: bool

    def seen_from(self, offset: timezone | None) -> Written:
        """In another offset; what has none stays as it is."""
        if offset is None or self.offset is None:
            return self
        first, last = (
            each.replace(tzinfo=self.offset).astimezone(offset).replace(tzinfo=None) for each in (self.first, self.last)
        )
        return Written(first, last, offset, self.has_time)


def read_date(text: str) -> Written | None:
    """A date, dateTime or instant of R4, or None where it is none."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour = found.groups()[:4]
    try:
        if hour is not None:
            return _moment(found)
        first = date(int(year), int(month or 1), int(day or 1))
    except (ValueError, OverflowError):
        return None
    if day is not None:
        last = first
    elif month is not None:
        last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    else:
        last = date(first.year, 12, 31)
    return Written(datetime.combine(first, time.min), datetime.combine(last, time.max), None, False)


def _moment(found: re.Match[str]) -> Written:
    fraction, zone = found[7], found[8]
    year, month, day, hour, minute, second = (int(each or 0) for each in found.groups()[:6])
    micros = int((fraction or ".0")[1:7].ljust(6, "0"))
    # A leap second is the second before it: Python has none.
    first = datetime(year, month, day, hour, minute, 59 if second == 60 else second, micros)
    width = timedelta(minutes=1) if found[6] is None else timedelta(seconds=1) if fraction is None else _MICROSECOND
    if first.year in (1, 9999):  # another offset could leave the calendar
        raise ValueError("not a date that is searched")
    return Written(first, first + width - _MICROSECOND, _offset(zone), True)


def _offset(zone: str | None) -> timezone | None:
    if zone is None:
        return None
    if zone == "Z":
        return UTC
    delta = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return timezone(-delta if zone[0] == "-" else delta)


def stretch(start: str, end: str, offset: timezone | None = None) -> Stretch | None:
    """From one date to another, either of which may be missing or no date; None where neither is one."""
    first, last = read_date(start), read_date(end)
    if first is None and last is None:
        return None
    seen = [each.seen_from(offset) if each is not None else None for each in (first, last)]
    return Stretch(seen[0].first if seen[0] else None, seen[1].last if seen[1] else None)


def compares(prefix: str, wanted: Written, found: Stretch) -> bool:
    """Whether a stretch is as the search wants it.

    `eq` means that the wanted date covers it whole; `ge` and `le`, that it reaches over the date's beginning or end, or
    is covered; `gt` and `lt`, that it reaches beyond; `sa` and `eb`, that it lies beyond altogether.
    """
    if prefix in ("eq", "ne"):
        return _is_within(wanted, found) is (prefix == "eq")
    if prefix == "gt":
        return found.last is None or found.last > wanted.last
    if prefix == "lt":
        return found.first is None or found.first < wanted.first
    if prefix == "ge":
        return found.last is None or found.last >= wanted.first
    if prefix == "le":
        return found.first is None or found.first <= wanted.last
    if prefix == "sa":
        return found.first is not None and found.first > wanted.last
    return found.last is not None and found.last < wanted.first


def _is_within(wanted: Written, found: Stretch) -> bool:
    if found.first is None or found.last is None:
        return False
    return wanted.first <= found.first and found.last <= wanted.last
