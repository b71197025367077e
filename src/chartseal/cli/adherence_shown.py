"""A report as tables for people, or as one JSON object."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import click
import pyarrow as pa
from rich.console import Console
from rich.text import Text

from chartseal.adherence import Window
from chartseal.adherence.fhir import FhirEvents
from chartseal.cli.adherence_notes import Key, Note, counted, words
from chartseal.cli.opened import new_table, value_text

_MOST_ROWS = 200
_SYSTEMS = {
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://www.whocc.no/atc": "ATC",
    "http://hl7.org/fhir/sid/ndc": "NDC",
    "http://snomed.info/sct": "SNOMED",
}


@dataclass(frozen=True)
class Shown:
    """A result with what its events say of themselves."""

    result: pa.Table
    measure: str
    window: Window
    notes: Mapping[Key, Note]
    fhir: FhirEvents | None

    def rows(self) -> Iterator[tuple[dict[str, Any], Note]]:
        """Each row with its note."""
        for row in self.result.to_pylist():
            yield row, self.notes.get((row["patient"], row.get("group")), Note())

    def table(self) -> pa.Table:
        """The result, beside it how days of supply were found and why some are not known, where FHIR said so."""
        if self.fhir is None:
            return self.result
        notes = [note for _, note in self.rows()]
        beside = {
            "supplies": pa.array([note.supplies for note in notes], pa.int64()),
            "medication": pa.array([note.medication or None for note in notes], pa.string()),
            "days_found": pa.array([_codes(note.found) for note in notes], pa.string()),
            "days_unknown": pa.array([_codes(note.unknown) for note in notes], pa.string()),
        }
        table = self.result
        for name, column in beside.items():
            table = table.append_column(name, column)
        return table

    def value(self) -> str:
        """The column of the measure's number."""
        return self.measure if self.measure in self.result.column_names else "cma"


def _codes(counts: Mapping[str, int]) -> str | None:
    return ";".join(f"{code}:{count}" for code, count in sorted(counts.items())) or None


def print_json(shown: Shown) -> None:
    """Print one JSON object: rows as `Shown.table` has them, and counts over all of them."""
    told: dict[str, Any] = {"measure": shown.measure, "window": _days_of(shown.window)}
    told["rows"] = shown.table().to_pylist()
    if shown.fhir is not None:
        told["daysFound"] = shown.fhir.counts("fallback")
        told["daysUnknown"] = shown.fhir.counts("reason")
        told["kinds"] = _kinds(shown.fhir)
        told["dropped"] = shown.fhir.dropped.to_pylist()
    click.echo(json.dumps(told, ensure_ascii=False, default=str))


def _days_of(window: Window) -> dict[str, str | None]:
    """First day and first day after, of a window that is the same for all."""
    start, length = window.observation_start, window.observation_length
    if not isinstance(start, date):
        return {"start": None, "end": None}
    end = date.fromordinal(start.toordinal() + getattr(length, "count", 0))
    return {"start": start.isoformat(), "end": end.isoformat()}


def _kinds(fhir: FhirEvents) -> dict[str, int]:
    return dict(sorted(Counter(fhir.events["kind"].to_pylist()).items()))


def print_table(shown: Shown) -> None:
    """Print the rows, then in plain words what was counted and what was not."""
    console = Console()
    days = _days_of(shown.window)
    span = f"{days['start']} up to {days['end']}" if days["start"] else "from each patient's first supply"
    if shown.result.num_rows:
        _print_rows(shown, f"{shown.measure.upper()}, {span}", console)
    console.print(Text(_summary(shown)))
    if shown.fhir is not None:
        for line in _account(shown.fhir):
            console.print(Text(line))


def _print_rows(shown: Shown, title: str, console: Console) -> None:
    covers = "covered_days" in shown.result.column_names
    tells = shown.fhir is not None
    heads = ["patient", "class", *(["supplies"] if tells else []), *(["days covered"] if covers else [])]
    heads += [shown.measure, *(["gap days left"] if covers else []), *(["days found by"] if tells else [])]
    table = new_table(title, *heads)
    for number, (row, note) in enumerate(shown.rows()):
        if number == _MOST_ROWS:
            break
        cells = [_patient(row["patient"]), _label(row.get("group"), note)]
        cells += [f"{note.supplies}"] if tells else []
        cells += _numbers(row, shown.value(), note, covers=covers)
        cells += [counted(note.found)] if tells else []
        table.add_row(*map(Text, cells))
    console.print(table)
    if shown.result.num_rows > _MOST_ROWS:
        console.print(Text(f"… and {shown.result.num_rows - _MOST_ROWS:,} more: -o FILE.csv writes all"))


def _numbers(row: dict[str, Any], name: str, note: Note, *, covers: bool) -> list[str]:
    """The measure's cells; where there is no number, the reason stands in its place."""
    value = row[name]
    shown = "not known: " + _why(row["reason"] or "", note) if value is None else f"{value:.3f}"
    if not covers:
        return [shown]
    if value is None:
        return ["", shown, ""]
    left = row["gap_days_left"]
    return [f"{row['covered_days']} of {row['period_days']}", shown, f"{left}" if left >= 0 else f"none ({-left} over)"]


def _why(reason: str, note: Note) -> str:
    unknown = f" ({counted(note.unknown)})" if reason.endswith("_unknown") and note.unknown else ""
    return words(reason) + unknown


def _patient(patient: Any) -> str:
    """A patient for people: the id of a reference. -o and --json have it whole."""
    return value_text(str(patient).rpartition("/")[2])


def _label(group: str | None, note: Note) -> str:
    """A class for people: the short name of a code's system, and what the code is called."""
    system, bar, code = (group or "").partition("|")
    text = f"{_SYSTEMS.get(system, system)} {code} {note.medication}" if bar else group or note.medication
    return value_text(text.strip())


def _summary(shown: Shown) -> str:
    rows = shown.result.num_rows
    if not rows:
        return "nothing to measure: no supply is told"
    values = shown.result[shown.value()]
    known = rows - values.null_count
    patients = len(shown.result["patient"].unique())
    text = f"{rows:,} measured apart, patients: {patients:,}; with a number: {known:,}, without: {rows - known:,}"
    if "adherent" in shown.result.column_names and known:
        text += f"; at 0.80 or more: {sum(filter(None, shown.result['adherent'].to_pylist())):,}"
    return text


def _account(fhir: FhirEvents) -> Iterator[str]:
    """What was read, what stays unknown, and what does not count."""
    kinds = _kinds(fhir)
    yield "read: " + (counted(kinds) or "nothing that tells of supply")
    found, unknown = fhir.counts("fallback"), fhir.counts("reason")
    if found:
        yield "days of supply found by: " + counted(found)
    if unknown:
        yield "days of supply not known: " + counted(unknown)
    prescribed = fhir.counts("reason", "prescribed")
    if prescribed:
        yield "prescriptions whose days are not known: " + counted(prescribed)
    for row in fhir.dropped.to_pylist():
        yield f"not counted: {row['count']:,} {row['resource_type'] or 'inputs'}, {words(row['reason'])}"
