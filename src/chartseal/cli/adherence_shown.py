"""A report: rows with how days of supply were found, and the measure's number or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.text import Text

from chartseal.cli.adherence_notes import Note, counted
from chartseal.cli.adherence_rows import MOST_ROWS, Measured, label, patient_text, print_account, print_rest, why
from chartseal.cli.opened import new_table


class Shown(Measured):
    """A report's result: one number a row."""

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


def print_table(shown: Shown) -> None:
    """Print the rows, then in plain words what was counted and what was not."""
    console = Console()
    if shown.result.num_rows:
        _print_rows(shown, f"{shown.measure.upper()}, {shown.days()}", console)
    console.print(Text(_summary(shown)))
    print_account(shown, console)


def _print_rows(shown: Shown, title: str, console: Console) -> None:
    covers = "covered_days" in shown.result.column_names
    tells = shown.fhir is not None
    heads = ["patient", "class", *(["supplies"] if tells else []), *(["days covered"] if covers else [])]
    heads += [shown.measure, *(["gap days left"] if covers else []), *(["days found by"] if tells else [])]
    table = new_table(title, *heads)
    for number, (row, note) in enumerate(shown.rows()):
        if number == MOST_ROWS:
            break
        cells = [patient_text(row["patient"]), label(row.get("group"), note)]
        cells += [f"{note.supplies}"] if tells else []
        cells += _numbers(row, shown.value(), note, covers=covers)
        cells += [counted(note.found)] if tells else []
        table.add_row(*map(Text, cells))
    console.print(table)
    print_rest(shown, console)


def _numbers(row: dict[str, Any], name: str, note: Note, *, covers: bool) -> list[str]:
    """The measure's cells; where there is no number, the reason stands in its place."""
    value = row[name]
    shown = "not known: " + why(row["reason"] or "", note) if value is None else f"{value:.3f}"
    if not covers:
        return [shown]
    if value is None:
        return ["", shown, ""]
    left = row["gap_days_left"]
    return [f"{row['covered_days']} of {row['period_days']}", shown, f"{left}" if left >= 0 else f"none ({-left} over)"]


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
