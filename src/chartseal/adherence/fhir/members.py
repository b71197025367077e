"""Members of parsed JSON, by the type that they must have: what has another is as if it were not there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_EXPONENT = 400
"""Of a number, as the reading of FHIR bounds it: exact arithmetic on more would take all memory."""


def text(holder: Json, name: str) -> str:
    """A string, or the empty one."""
    value = holder.get(name)
    return value if isinstance(value, str) else ""


def member(holder: Json, name: str) -> Json:
    """An object, or the empty one."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def members(holder: Json, name: str) -> list[Json]:
    """The objects of a list."""
    value = holder.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def texts(holder: Json, name: str) -> list[str]:
    """The strings of a list."""
    value = holder.get(name)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def number(holder: Json, name: str) -> Fraction | None:
    """A number as it is written, never rounded to a float."""
    value = holder.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if isinstance(value, Decimal) and (not value.is_finite() or abs(value.adjusted()) > _EXPONENT):
        return None
    return Fraction(value)


def day(written: str) -> date | None:
    """The local day that a date or dateTime names, its first ten characters; None of a year or a month.

    Times are not moved to UTC: a supply handed over at 20:00 in New York would be of the day after.
    """
    first = written[:10]
    try:
        return date.fromisoformat(first) if _DAY.fullmatch(first) else None
    except ValueError:
        return None


def day_after(written: str) -> date | None:
    """The first day after the one named: a period's last day belongs to it (hl7.org/fhir/R4/datatypes.html#Period)."""
    last = day(written)
    return last + timedelta(days=1) if last is not None and last < date.max else None


def codes(concept: Json) -> set[tuple[str, str]]:
    """(system, code) of each coding of a CodeableConcept."""
    return {(text(coding, "system"), text(coding, "code")) for coding in members(concept, "coding")}
