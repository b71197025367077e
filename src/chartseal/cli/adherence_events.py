"""What adherence commands are given: paths, tables and FHIR, as one table of events, and the days to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
import duckdb
import pyarrow as pa

from chartseal.adherence import Column, Columns, Span, Window
from chartseal.adherence.fhir import ClassTable, FhirEvents, Supplies, read_events
from chartseal.adherence.sources import is_fhir, read_table
from chartseal.adherence.tables import EventTable
from chartseal.errors import AdherenceError

_NAMES = {"class": "medication_class"}


class ColumnNames(click.ParamType[Any]):
    """`patient=PATIENT_ID,date=DATE` as `Columns`."""

    name = "columns"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Columns:
        """Read the pairs; what is not named keeps its name."""
        if isinstance(value, Columns):
            return value
        known = {each.name for each in fields(Columns)}
        names: dict[str, str] = {}
        for pair in str(value).split(","):
            ours, found, theirs = pair.partition("=")
            field = _NAMES.get(ours.strip(), ours.strip())
            if not found or not theirs.strip() or field not in known or field in names:
                self.fail("expected patient=…,date=…,days_supply=…,class=… and so on, each once", param, ctx)
            names[field] = theirs.strip()
        return Columns(**names)


class OneDay(click.ParamType[Any]):
    """`2031-04-05` as a date."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read an ISO date."""
        try:
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        except ValueError:
            self.fail("expected a date as 2031-04-05", param, ctx)


@dataclass(frozen=True)
class Gathered:
    """Events, the names of their columns, and what reading FHIR had to say, where it was FHIR."""

    events: EventTable
    columns: Columns
    fhir: FhirEvents | None = None

    def days(self) -> tuple[date | None, date | None]:
        """The first day of a supply, and the last day that any row names."""
        relation = duckdb.from_arrow(self.events) if isinstance(self.events, pa.Table) else self.events
        if self.columns.date not in relation.columns:
            return None, None  # measuring says so
        day = "TRY_CAST(" + _quoted(self.columns.date) + " AS DATE)"
        told = self.columns.kind in relation.columns
        supply = f"coalesce({_quoted(self.columns.kind)}, 'supply') = 'supply'" if told else "true"
        ((first, last),) = relation.aggregate(f"min({day}) FILTER ({supply}), max({day})").fetchall()
        return first, last

    def of_patient(self, patient: str) -> Gathered:
        """The events of one patient, by id or reference.

        Raises:
            AdherenceError: `patient_unknown`.
        """
        relation = duckdb.from_arrow(self.events) if isinstance(self.events, pa.Table) else self.events
        if self.columns.patient not in relation.columns:
            return self  # measuring says so
        column, wanted = f"CAST({_quoted(self.columns.patient)} AS VARCHAR)", patient.replace("'", "''")
        found = relation.filter(f"{column} = '{wanted}' OR ends_with({column}, '/{wanted}')").to_arrow_table()
        if not found.num_rows:
            raise AdherenceError("there are no events of this patient", "patient_unknown")
        fhir = replace(self.fhir, events=found) if self.fhir is not None else None
        return replace(self, events=found, fhir=fhir)


def gather(
    paths: Sequence[str],
    *,
    classes: str | None,
    columns: Columns | None,
    date_format: str,
    supplies: Supplies,
) -> Gathered:
    """Events of FHIR files and folders together, or of one table.

    Raises:
        AdherenceError: as `read_events`, `read_table` and `ClassTable.read`.
        click.UsageError: several tables, or tables and FHIR together.
    """
    told = [is_fhir(path) for path in paths]
    listed = ClassTable.read(classes) if classes else None
    if all(told):
        found = read_events([Path(path) for path in paths], listed, supplies=supplies)
        return Gathered(found.events, Columns(), found)
    if len(paths) > 1:
        raise click.UsageError("give FHIR files and folders, or one table")
    if listed is not None:
        raise click.UsageError("--classes is for FHIR: a table says the class of a row itself")
    names = columns or Columns()
    table = read_table(paths[0], columns=names, date_format=date_format)
    return Gathered(table.read_all() if isinstance(table, pa.RecordBatchReader) else table, names)


def window_of(gathered: Gathered, first: date | None, last: date | None, days: int | None) -> Window:
    """The days to measure: from `first` to `last`, both counted, or so many; else all that is known.

    Raises:
        click.UsageError: `--to` before `--from`, or with `--days`.
    """
    if days is not None and last is not None:
        raise click.UsageError("--days counts from --from, or from each patient's first supply: leave --to out")
    if days is not None:
        if first is None:
            return Window(Span(0), Span(days), Span(0), Span(days))
        return Window.between(first, first + timedelta(days=days - 1))
    known = gathered.days() if first is None or last is None else (first, last)
    first, last = first or known[0], last or known[1]
    if first is None or last is None:
        return Window()  # nothing is supplied
    if last < first:
        raise click.UsageError("--to is before --from, or before the first supply")
    return Window.between(first, last)


def until_death(gathered: Gathered, window: Window) -> tuple[EventTable, Window]:
    """Events and a window that ends, for who died in it, on the day of death: nobody is to take what is left.

    Of FHIR alone; a table of rows says nothing of death but by its own window columns.
    """
    if gathered.fhir is None:
        return gathered.events, window
    events, starts, deaths = gathered.events, dict[str, date](), dict[str, date]()
    for patient, day, kind in zip(*(events[name].to_pylist() for name in ("patient", "date", "kind")), strict=True):
        if day is not None and kind in ("supply", "died"):
            known = deaths if kind == "died" else starts
            known[patient] = min(day, known.get(patient, day))
    if not deaths:
        return events, window
    follow_up = [_days_until(window.follow_up_start, window.follow_up_length, starts, deaths, each) for each in starts]
    observed = [
        _days_until(window.observation_start, window.observation_length, starts, deaths, each) for each in starts
    ]
    for name, lengths in (("follow_up_days", follow_up), ("observation_days", observed)):
        by_patient = dict(zip(starts, lengths, strict=True))
        column = [by_patient.get(each) for each in events["patient"].to_pylist()]
        events = events.append_column(name, pa.array(column, pa.int32()))
    columns = {"follow_up_length": Column("follow_up_days"), "observation_length": Column("observation_days")}
    return events, replace(window, **columns)


def _days_until(start: Any, length: Any, starts: dict[str, date], deaths: dict[str, date], patient: str) -> int:
    """Days of a patient's window, of those that `window_of` makes: whole days from a date, or from the first supply."""
    begins = start if isinstance(start, date) else starts[patient]
    whole: int = length.count
    return max(0, min(whole, (deaths[patient] - begins).days)) if patient in deaths else whole


def grouped_by(columns: Columns, by: str) -> Columns:
    """`columns` with what is measured apart: by class, by group, or all of a patient together."""
    return replace(columns, group={"class": columns.medication_class, "group": columns.group, "patient": ""}[by])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
