"""Events of one patient by day numbers, for tests of event durations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

START = date(2031, 1, 1)

SCHEMA = pa.schema(
    [
        ("patient", pa.string()),
        ("date", pa.date32()),
        ("kind", pa.string()),
        ("end", pa.date32()),
        ("quantity", pa.float64()),
        ("daily_dose", pa.float64()),
        ("prescribed_days", pa.float64()),
        ("class", pa.string()),
        ("event", pa.string()),
    ]
)


def day(number: int) -> date:
    """The date so many days after 2031-01-01."""
    return START + timedelta(number)


def _maybe(number: int | None) -> date | None:
    return None if number is None else day(number)


def number(at: date | None) -> int | None:
    """The reverse of `day`."""
    return None if at is None else (at - START).days


def supply(at: int | None, quantity: float | None, **more: Any) -> dict[str, Any]:
    return {"patient": "p", "class": "A", "date": _maybe(at), "quantity": quantity, **more}


def prescribed(
    at: int | None, dose: float | None, end: int | None = None, *, of: str = "A", **more: Any
) -> dict[str, Any]:
    kind = {"kind": "prescribed", "daily_dose": dose, "end": _maybe(end)}
    return {"patient": "p", "class": of, "date": _maybe(at), **kind, **more}


def period(kind: str, start: int, end: int | None, **more: Any) -> dict[str, Any]:
    return {"patient": "p", "date": day(start), "kind": kind, "end": _maybe(end), **more}


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), SCHEMA)
