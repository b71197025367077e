"""Numbers as claims carry them, from a policy's bounds and back. Source: format specification, section "Claims"."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

OFFSET = 1 << 63
"""Added to every ordered number, so that negative ones compare."""
OPEN_LOW, OPEN_HIGH = 0, (1 << 64) - 1
"""Bounds of a side that a range leaves open."""
SCALE = 6
"""Decimal places of quantities and money."""

_EPOCH = date(1900, 1, 1).toordinal()
_EPOCH_SECOND = datetime(1900, 1, 1, tzinfo=UTC)
_ZONE_SECONDS = 14 * 3600
"""The farthest zone of R4's dateTime."""
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_PACKED_LENGTH = 7
_PLAIN = re.compile(r"[A-Z0-9]{1,7}", re.ASCII)

FIRST_DAY, LAST_DAY = (date.min.toordinal() - _EPOCH) + OFFSET, (date.max.toordinal() - _EPOCH) + OFFSET
"""The days that R4 can write."""
FIRST_INSTANT = (FIRST_DAY - OFFSET) * 86_400 - _ZONE_SECONDS + OFFSET
LAST_INSTANT = (LAST_DAY - OFFSET + 1) * 86_400 - 1 + _ZONE_SECONDS + OFFSET
"""The instants that R4 can write."""


def fits(number: int) -> bool:
    """Whether it is below 2^64."""
    return OPEN_LOW <= number <= OPEN_HIGH


def scaled(lexeme: str) -> int | None:
    """A decimal at scale 6, offset; None where it is finer than that. It may be beyond 64 bits."""
    number = Fraction(lexeme) * 10**SCALE
    return number.numerator + OFFSET if number.denominator == 1 else None


def decimal_text(number: int) -> str:
    """The shortest lexeme of an offset number at scale 6."""
    sign, digits = ("-", OFFSET - number) if number < OFFSET else ("", number - OFFSET)
    whole, fraction = divmod(digits, 10**SCALE)
    places = f"{fraction:0{SCALE}}".rstrip("0")
    return f"{sign}{whole}.{places}" if places else f"{sign}{whole}"


def day_bounds(text: str) -> tuple[int, int] | None:
    """First and last day of a date of four, seven or ten characters, offset; None where there is no such date."""
    parts = text.split("-")
    if [len(part) for part in parts] not in ([4], [4, 2], [4, 2, 2]) or not all(part.isdecimal() for part in parts):
        return None
    numbers = [int(part) for part in parts]
    try:
        first = date(*[*numbers, 1, 1][:3])
        last = first if len(numbers) == 3 else _last_day(numbers)
    except ValueError:
        return None
    return first.toordinal() - _EPOCH + OFFSET, last.toordinal() - _EPOCH + OFFSET


def _last_day(numbers: list[int]) -> date:
    year, month = [*numbers, 12][:2]
    return date(year, 12, 31) if month == 12 else date(year, month + 1, 1) - timedelta(days=1)


def day_text(number: int) -> str:
    """The date of an offset day, ISO 8601."""
    return date.fromordinal(number - OFFSET + _EPOCH).isoformat()


def instant(text: str) -> int | None:
    """UTC seconds since 1900 of a dateTime with zone, offset; None where there is no such moment."""
    found = _MOMENT.fullmatch(text)
    if found is None or (found[3] != "Z" and not _is_zone(found[3])):
        return None
    try:
        local = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    except ValueError:
        return None
    seconds = round((local - _EPOCH_SECOND) / timedelta(seconds=1))
    return seconds - _zone_seconds(found[3]) + OFFSET


def has_fraction(text: str) -> bool:
    """Whether a dateTime is finer than a second, which claims drop."""
    found = _MOMENT.fullmatch(text)
    return found is not None and found[2] is not None


def _is_zone(zone: str) -> bool:
    hours, minutes = int(zone[1:3]), int(zone[4:])
    return minutes < 60 and abs(hours * 3600 + minutes * 60) <= _ZONE_SECONDS


def _zone_seconds(zone: str) -> int:
    if zone == "Z":
        return 0
    seconds = int(zone[1:3]) * 3600 + int(zone[4:]) * 60
    return -seconds if zone[0] == "-" else seconds


def instant_text(number: int) -> str | None:
    """The dateTime of an offset instant, in UTC; None where it is outside of the years 1 to 9999."""
    try:
        moment = _EPOCH_SECOND + timedelta(seconds=number - OFFSET)
    except OverflowError:
        return None
    return f"{moment.replace(tzinfo=None).isoformat()}Z"


def packed(code: str) -> int | None:
    """A hierarchical code as claims pack it; None where it is none."""
    plain = code.replace(".", "", 1)
    return packed_prefix(plain)[0] if _PLAIN.fullmatch(plain) else None


def packed_prefix(plain: str) -> tuple[int, int]:
    """The codes that begin so, as packed numbers: prefix ‖ 00… to prefix ‖ ff…; `plain` is ASCII without dot."""
    free = 8 * (_PACKED_LENGTH - len(plain))
    first = int.from_bytes(plain.encode("ascii"), "big") << free
    return first, first | ((1 << free) - 1)


def packed_texts(low: int, high: int) -> tuple[str, str]:
    """The prefixes, without dots, that give these bounds."""
    first = low.to_bytes(_PACKED_LENGTH, "big").rstrip(b"\0")
    last = high.to_bytes(_PACKED_LENGTH, "big").rstrip(b"\xff")
    return first.decode("ascii"), last.decode("ascii")


LEAST_PACKED, GREATEST_PACKED = packed_prefix("0")[0], packed_prefix("Z" * _PACKED_LENGTH)[1]
"""The packed codes that can stand: `0` to seven times `Z`."""
