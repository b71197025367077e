"""What adherence commands are given: paths, tables and FHIR, as one table of events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import click
import duckdb
import pyarrow as pa

from chartseal.adherence import Columns
from chartseal.adherence.database import quoted
from chartseal.adherence.fhir import ClassTable, FhirEvents, Supplies, read_events
from chartseal.adherence.sources import is_fhir, read_table
from chartseal.adherence.tables import EventTable
from chartseal.cli.adherence_spans import FIRST, LAST
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


@dataclass(frozen=True)
class Gathered:
    """Events, the names of their columns, and what reading FHIR had to say, where it was FHIR."""

    events: EventTable
    columns: Columns
    fhir: FhirEvents | None = None

    def days(self) -> tuple[date | None, date | None]:
        """The first day of a supply, and the last day that any row names, of days that an event may have."""
        relation = duckdb.from_arrow(self.events) if isinstance(self.events, pa.Table) else self.events
        if self.columns.date not in relation.columns:
            return None, None  # measuring says so
        day = "TRY_CAST(" + quoted(self.columns.date) + " AS DATE)"
        told = self.columns.kind in relation.columns
        supply = f"coalesce(lower(trim({quoted(self.columns.kind)})), '') IN ('', 'supply')" if told else "true"
        known = relation.filter(f"{day} BETWEEN '{FIRST}' AND '{LAST}'")  # one impossible date is one patient's
        ((first, last),) = known.aggregate(f"min({day}) FILTER ({supply}), max({day})").fetchall()
        return first, last

    def apart(self, by: str | None) -> Columns:
        """The columns with what is measured apart as the group: by class, by group, or all of a patient together.

        By what the events call their groups where they do and `by` is None: a supply may be in two.
        """
        names = self.events.column_names if isinstance(self.events, pa.Table) else self.events.columns
        by = by or ("group" if self.columns.group in names else "class")
        group = {"class": self.columns.medication_class, "group": self.columns.group, "patient": ""}[by]
        return replace(self.columns, group=group)

    def until(self, last: date) -> Gathered:
        """The events as they were known on a day: what is dated later is left out, what has no date stays."""
        relation = duckdb.from_arrow(self.events) if isinstance(self.events, pa.Table) else self.events
        if self.columns.date not in relation.columns:
            return self  # measuring says so
        day = "TRY_CAST(" + quoted(self.columns.date) + " AS DATE)"
        found = relation.filter(f"{day} IS NULL OR {day} <= DATE '{last.isoformat()}'").to_arrow_table()
        return replace(self, events=found, fhir=replace(self.fhir, events=found) if self.fhir is not None else None)

    def of_patient(self, patient: str) -> Gathered:
        """The events of one patient, by id or reference.

        Raises:
            AdherenceError: `patient_unknown`; `patient_ambiguous`: references of several end in this id.
        """
        relation = duckdb.from_arrow(self.events) if isinstance(self.events, pa.Table) else self.events
        if self.columns.patient not in relation.columns:
            return self  # measuring says so
        ids = duckdb.ColumnExpression(self.columns.patient).cast("VARCHAR")
        found = relation.filter(ids == duckdb.ConstantExpression(patient)).to_arrow_table()
        if not found.num_rows:
            ending = duckdb.FunctionExpression("ends_with", ids, duckdb.ConstantExpression(f"/{patient}"))
            found = relation.filter(ending).to_arrow_table()
        if not found.num_rows:
            raise AdherenceError("there are no events of this patient", "patient_unknown")
        if len(found[self.columns.patient].unique()) > 1:
            raise AdherenceError("several patients have this id: give a whole reference", "patient_ambiguous")
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
