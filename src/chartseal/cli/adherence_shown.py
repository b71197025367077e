"""A report: rows with how days of supply were found, and the measure's number or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.text import Text

from chartseal.adherence.pdc import THRESHOLD
from chartseal.cli.adherence_notes import Note, counted, label
from chartseal.cli.adherence_rows import MOST_ROWS, Measured, patient_text, print_account, print_rest, why, wide_console
from chartseal.cli.opened import new_table


@dataclass(frozen=True)
class Shown(Measured):
    """A report's result: one number a row."""

    threshold: Fraction = THRESHOLD
    """The PDC that is adherent."""

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


def _ratio(threshold: Fraction) -> str:
    """As PDC is written, with two decimal places at least."""
    text = f"{float(threshold):.8f}".rstrip("0")
    return f"{text:0<4}"


def _codes(counts: Mapping[str, int]) -> str | None:
    return ";".join(f"{code}:{count}" for code, count in sorted(counts.items())) or None


def print_table(shown: Shown) -> None:
    """Print the rows, then in plain words what was counted and what was not."""
    console = wide_console()
    if shown.result.num_rows:
        _print_rows(shown, f"{shown.measure.upper()}, {shown.days()}", console)
    console.print(Text(_summary(shown)))
    print_account(shown, console)


def _print_rows(shown: Shown, title: str, console: Console) -> None:
    rows = list(islice(shown.rows(), MOST_ROWS))
    heads = _heads(shown)
    table = new_table(title, *heads)
    for row, note in rows:
        cells = _cells(row, shown.value(), note)
        table.add_row(*(Text(cells[head]) for head in heads))
    longest = max(len(patient_text(row["patient"])) for row, _ in rows)
    table.columns[0].no_wrap = longest <= console.width // 4
    console.print(table)
    print_rest(shown, console)


def _heads(shown: Shown) -> list[str]:
    """The columns that this result has something for."""
    names = shown.result.column_names
    covers, tells = "covered_days" in names, shown.fhir is not None
    heads = ["patient", *(["class"] if "group" in names else []), *(["supplies"] if tells else [])]
    heads += ["days covered", shown.value().upper(), "gap days left"] if covers else [shown.value().upper()]
    if tells:
        return [*heads, "days of supply"]
    return [*heads, "why none"] if shown.result["reason"].null_count < shown.result.num_rows else heads


def _cells(row: dict[str, Any], name: str, note: Note) -> dict[str, str]:
    """Cells by the heads of their columns; where there is no number, the last one says why."""
    told = {"patient": patient_text(row["patient"]), "class": label(row.get("group"), note.medication)}
    told |= {"supplies": f"{note.supplies}", "days of supply": counted(note.found), "why none": ""}
    told |= {"days covered": "", name.upper(): "-", "gap days left": ""}
    if row[name] is None:
        reason = why(row["reason"] or "", note)
        return told | {"days of supply": reason, "why none": reason}
    told[name.upper()] = f"{row[name]:.3f}"
    if "covered_days" in row:
        left = row["gap_days_left"]
        told["days covered"] = f"{row['covered_days']} of {row['period_days']}"
        told["gap days left"] = f"{left}" if left >= 0 else f"none ({-left} over)"
    return told


def _summary(shown: Shown) -> str:
    rows = shown.result.num_rows
    if not rows:
        return "nothing to measure: no supply is told"
    values = shown.result[shown.value()]
    known = rows - values.null_count
    patients = len(shown.result["patient"].unique())
    text = f"{rows:,} measured apart, patients: {patients:,}; with a number: {known:,}, without: {rows - known:,}"
    if "adherent" in shown.result.column_names and known:
        text += f"; at {_ratio(shown.threshold)} or more: {sum(filter(None, shown.result['adherent'].to_pylist())):,}"
    return text
