"""What a watch is told: one row of a table of events, checked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

import pyarrow as pa

from chartseal.adherence.tables import Columns, EventTable
from chartseal.errors import AdherenceError

SUPPLY, REVERSAL = "supply", "reversal"
STAYS = ("stay", "snf")
NOT_TAKEN = ("missed_dose", "not_dispensed", "stop")
KINDS = frozenset({SUPPLY, REVERSAL, "died", "prescribed", *NOT_TAKEN, *STAYS})
"""Kinds of rows that a watch looks at. A `reversal` names, as its `event`, the event that it takes back; what is known
not to have been dispensed or taken is evidence of the alerts of its time, and none by itself."""

MOST_DAYS = 3_660
"""No supply lasts longer, as in the kernel."""
LONGEST_TEXT = 256
_FIRST, _LAST = date(1900, 1, 1).toordinal(), date(2199, 12, 31).toordinal()
_ROWS = 10_000


class Event(NamedTuple):
    """One row. Days are proleptic ordinals (`date.toordinal`); a period goes up to but not including `end`."""

    patient: str
    event: str
    """Its reference, such as `MedicationDispense/1`: the same one is told once."""
    kind: str
    day: int
    end: int | None
    days_supply: int | None
    """Whole days, at least one; None where it is unknown or no number of days."""
    daily_dose: float | None
    group: str
    """What is watched apart: the row's group, else its class."""
    medication_class: str
    ingredient: str

    @property
    def anchor(self) -> str:
        """What tells it from the patient's other supplies: one reference may be of several products."""
        return "\n".join((self.event, self.medication_class, self.ingredient))


def events_of(
    rows: EventTable | Iterable[Mapping[str, Any]], columns: Columns | None, refused: Counter[str]
) -> Iterator[Event]:
    """The rows that can be watched; the others are counted in `refused` under the reason's code.

    Raises:
        AdherenceError: `column_missing`, `table_unreadable`.
    """
    columns = columns or Columns()
    for row in _rows(rows, columns):
        event = _event(row, columns)
        if isinstance(event, str):
            refused[event] += 1
        else:
            yield event


def _rows(rows: EventTable | Iterable[Mapping[str, Any]], columns: Columns) -> Iterator[Mapping[str, Any]]:
    if not hasattr(rows, "__arrow_c_stream__"):
        yield from _mappings(rows)
        return
    try:
        reader = pa.RecordBatchReader.from_stream(rows)
        for name in (columns.patient, columns.date, "event"):
            if name not in reader.schema.names:
                raise AdherenceError("there is no such column", "column_missing", name)
        for batch in reader:
            for start in range(0, batch.num_rows, _ROWS):
                yield from batch.slice(start, _ROWS).to_pylist()
    except pa.ArrowInvalid as exc:
        raise AdherenceError("the events cannot be read", "table_unreadable") from exc


def _mappings(rows: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        if not isinstance(row, Mapping):
            raise AdherenceError("not a table of events, and not rows of one", "table_unreadable")
        yield row


def _event(row: Mapping[str, Any], columns: Columns) -> Event | str:
    """The event of a row, or the code of why there is none."""
    stated = row.get(columns.kind) or ""
    kind = (stated.strip().lower() or SUPPLY) if isinstance(stated, str) else ""
    if kind not in KINDS:
        return "kind_unwatched"
    patient, reference, medication_class, ingredient, group = (
        _text(row.get(name))
        for name in (columns.patient, "event", columns.medication_class, columns.ingredient, columns.group)
    )
    if not patient or not reference:
        return "event_unknown" if patient else "patient_unknown"
    for text in (patient, reference, medication_class, ingredient, group):
        if len(text) > LONGEST_TEXT or not text.isprintable():
            return "text_invalid"
    day, end = _day(row.get(columns.date)), _day(row.get(columns.end))
    if kind == REVERSAL:
        return Event(patient, reference, kind, 0, None, None, None, "", "", "")
    if not isinstance(day, int):
        return day or "date_unknown"
    if isinstance(end, str) or (kind in STAYS and end is not None and end <= day):
        return "end_invalid"
    return Event(
        patient,
        reference,
        kind,
        day,
        end if kind in STAYS else None,
        _days(row.get(columns.days_supply)) if kind == SUPPLY else None,
        _dose(row.get(columns.daily_dose)),
        group or medication_class,
        medication_class,
        ingredient,
    )


def _text(value: Any) -> str:
    """A text or a number as text; what is neither is none, and so is a number that is none (NaN)."""
    is_plain = isinstance(value, str) or not isinstance(value, Iterable)
    return str(value) if is_plain and value is not None and value == value else ""


def _day(value: Any) -> int | str | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            return "date_invalid"
    if not isinstance(value, date) or getattr(value, "tzinfo", None) is not None:
        return "date_invalid"  # a moment with a zone has no one day: it is the caller who knows the local one
    day = value.toordinal()
    return day if _FIRST <= day <= _LAST else "date_invalid"


def _days(value: Any) -> int | None:
    """Whole days of a supply; nothing is guessed where they are no number, not above 0 or absurd."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST_DAYS:
        return None
    return max(1, math.floor(value))


def _dose(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        return None
    return float(value)
