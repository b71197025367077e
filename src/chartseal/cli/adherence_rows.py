"""What any measure found: rows as a table for people, or as one JSON object, and an account of what FHIR told."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import click
import pyarrow as pa
from rich.console import Console
from rich.text import Text

from chartseal.adherence import Column, Span, Window
from chartseal.adherence.fhir import FhirEvents
from chartseal.adherence.windows import EARLIEST
from chartseal.cli.adherence_notes import Key, Note, counted, counted_kinds, label, words
from chartseal.cli.opened import new_table, value_text

MOST_ROWS = 200
_RATIOS = ("cma", "implementation", "value", "aggregate")
_CODES = ("reason", "ended", "begun", "censored_by")


@dataclass(frozen=True)
class Measured:
    """A result with what its events say of themselves; without a window where the measure has none.

    `hints` say what was left to us that changes numbers.
    """

    result: pa.Table
    measure: str
    window: Window | None
    notes: Mapping[Key, Note]
    fhir: FhirEvents | None
    hints: Sequence[str] = ()

    def rows(self) -> Iterator[tuple[dict[str, Any], Note]]:
        """Each row with its note."""
        for row in self.result.to_pylist():
            yield row, self.notes.get((row["patient"], row.get("group")), Note())

    def table(self) -> pa.Table:
        """The rows as they are told."""
        return self.result

    def found(self) -> Counter[str]:
        """How days of supply were found, of all supplies whose days are known."""
        return sum((note.found for note in self.notes.values()), Counter[str]())

    def days(self) -> str:
        """The days in words, the last one counted, as `--from` and `--to` take them."""
        told = _observed(self.window) if self.window is not None else {"start": None, "end": None}
        if told["end"] is None:
            return "each patient's own days"
        last = date.fromisoformat(told["end"]) - timedelta(1)
        return f"{told['start']} to {last}" if told["start"] else f"up to {last}"


def print_json(found: Measured) -> None:
    """Print one JSON object: rows, the window where it is the same for all, and counts over what FHIR told."""
    told: dict[str, Any] = {"measure": found.measure}
    if found.window is not None:
        told |= {"window": _observed(found.window), "followUp": _followed(found.window)}
    told |= {"rows": found.table().to_pylist(), **read_members(found)}
    click.echo(json.dumps(told, ensure_ascii=False, default=str))


def read_members(found: Measured) -> dict[str, Any]:
    """Counts over what FHIR told, as members of JSON; none for a table of rows."""
    if found.fhir is None:
        return {}
    return {
        "daysFound": dict(sorted(found.found().items())),
        "daysUnknown": found.fhir.counts("reason"),
        "kinds": _kinds(found.fhir),
        "dropped": found.fhir.dropped.to_pylist(),
    }


def _observed(window: Window) -> dict[str, str | None]:
    """First day and first day after, of an observation window that is the same for all."""
    return _days_of(window.observation_start, window.observation_length)


def _followed(window: Window) -> dict[str, str | None]:
    """The same of follow-up."""
    return _days_of(window.follow_up_start, window.follow_up_length)


def _days_of(start: Span | date | Column, length: Span | Column) -> dict[str, str | None]:
    """What takes every event has no first day."""
    end = length.after(start) if isinstance(start, date) and isinstance(length, Span) else None
    if not isinstance(start, date) or end is None:
        return {"start": None, "end": None}
    return {"start": None if start == EARLIEST else start.isoformat(), "end": end.isoformat()}


def _kinds(fhir: FhirEvents) -> dict[str, int]:
    return dict(sorted(Counter(fhir.events["kind"].to_pylist()).items()))


def print_rows(found: Measured, shown: Sequence[str] = ()) -> None:
    """Print the rows, columns as they are called (but those that say nothing), then what was read and what was not."""
    console, result = wide_console(), found.result
    names = [name for name in shown or result.column_names if name in result.column_names]
    names = [name for name in names if name == "patient" or result[name].null_count < result.num_rows]
    if result.num_rows:
        title = _title(found.measure) + (f", {found.days()}" if found.window else "")
        table = new_table(title, *(name.replace("_", " ") for name in names))
        part = replaced(found, result.slice(0, MOST_ROWS))
        for row, note in part.rows():
            table.add_row(*(Text(_cell(name, row[name], note)) for name in names))
        console.print(table)
    print_rest(found, console)
    console.print(Text(_summary(result)))
    print_account(found, console)


def _title(measure: str) -> str:
    return measure.upper() if measure.startswith("cma") else measure.replace("_", " ").capitalize()


def replaced(found: Measured, result: pa.Table) -> Measured:
    """The same with other rows."""
    return replace(found, result=result)


def print_rest(found: Measured, console: Console) -> None:
    """Say how many rows are not shown."""
    if found.result.num_rows > MOST_ROWS:
        console.print(Text(f"… and {found.result.num_rows - MOST_ROWS:,} more: -o FILE.csv writes all"))


def print_account(found: Measured, console: Console) -> None:
    """Say what FHIR told, and what was left to us."""
    if found.fhir is not None:
        for line in _account(found.fhir, found.found()):
            console.print(Text(line))
    for line in found.hints:
        console.print(Text(line))


def wide_console() -> Console:
    """Standard output; a pipe or a file takes whole lines."""
    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160)


def _cell(name: str, value: Any, note: Note) -> str:
    if value is None:
        return ""
    if name == "patient":
        return patient_text(value)
    if name in ("group", "class", "ingredient"):
        return label(value, note.medication if name == "group" else "")
    if name in _CODES:
        return why(str(value), note)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}" if name in _RATIOS else f"{value:.3f}".removesuffix(".000")
    return value_text(value)


def why(reason: str, note: Note) -> str:
    """A reason in words, with why days of supply are not known where that is it."""
    unknown = f" ({counted(note.unknown)})" if reason.endswith("_unknown") and note.unknown else ""
    return value_text(words(reason) + unknown)


def patient_text(patient: Any) -> str:
    """A patient for people: the id of a reference. -o and --json have it whole."""
    return value_text(str(patient).rpartition("/")[2])


def _summary(result: pa.Table) -> str:
    if not result.num_rows:
        return "nothing to measure: no supply is told"
    text = f"rows: {result.num_rows:,}, patients: {len(result['patient'].unique()):,}"
    if "reason" not in result.column_names:
        return text
    reasons = Counter(result["reason"].drop_null().to_pylist())
    return text + (f"; not measured: {counted(reasons)}" if reasons else "")


def _account(fhir: FhirEvents, found: Mapping[str, int]) -> Iterator[str]:
    """What was read, what stays unknown, and what does not count."""
    kinds = _kinds(fhir)
    yield "read: " + (counted_kinds(kinds) or "nothing that tells of supply")
    unknown = fhir.counts("reason")
    if found:
        yield "days of supply found by: " + counted(found)
    if unknown:
        yield "days of supply not known: " + counted(unknown)
    prescribed = fhir.counts("reason", "prescribed")
    if prescribed:
        yield "prescriptions whose days are not known: " + counted(prescribed)
    for row in fhir.dropped.to_pylist():
        yield f"not counted: {row['count']:,} {row['resource_type'] or 'inputs'}, {words(row['reason'])}"
