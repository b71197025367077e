"""Periods from tables of their own (enrolment, exclusions, stays, deaths, births) put beside events of supply."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from chartseal.adherence.database import connect, quoted
from chartseal.adherence.tables import Columns, EventTable
from chartseal.errors import AdherenceError

_DAYS = frozenset({"born", "died"})
"""Kinds that are one day."""

_COLUMNS = {"patient": "VARCHAR", "date": "DATE", "end": "DATE", "class": "VARCHAR"}


def with_periods(
    events: EventTable, periods: Mapping[str, EventTable], columns: Columns | None = None
) -> duckdb.DuckDBPyRelation:
    """`events`, and the rows of `periods` as rows of the kind that each is named: `enrolled`, `excluded`, `stay`, …

    A table of periods has columns `patient`, `date` (first day), `end` (first day after; null or no such column: it
    goes on) and, for `excluded`, `class` (why). Ids of patients become text. Periods are held in memory, events not.

    Raises:
        AdherenceError: `period_invalid` (no patient, no first day, or an end before it), `column_missing`,
            `column_type`, `table_unreadable`.
    """
    columns = columns or Columns()
    connection = connect()
    try:
        connection.register("events", _arrow(events))
        patient = quoted(columns.patient)
        parts = [f"SELECT * REPLACE (CAST({patient} AS VARCHAR) AS {patient}) FROM events"]  # noqa: S608 (quoted)
        for number, (kind, table) in enumerate(periods.items()):
            connection.register(f"period{number}", _read(connection, kind, table))
            parts.append(f"SELECT {_renamed(columns)} FROM period{number}")  # noqa: S608 (names are quoted)
        return connection.sql(" UNION ALL BY NAME ".join(parts))
    except (duckdb.ConversionException, duckdb.BinderException) as exc:
        raise AdherenceError("a column cannot be read as what it must be", "column_type") from exc
    except (duckdb.Error, pa.ArrowException) as exc:
        raise AdherenceError("the periods cannot be read", "table_unreadable") from exc


def _read(connection: duckdb.DuckDBPyConnection, kind: str, table: EventTable) -> pa.Table:
    relation = connection.from_arrow(_arrow(table))
    for name in ("patient", "date", *(["class"] if kind == "excluded" else [])):
        if name not in relation.columns:
            raise AdherenceError(f"periods {kind} have no such column", "column_missing", name)
    chosen = [
        f"CAST({quoted(name) if name in relation.columns else 'NULL'} AS {wanted}) AS {quoted(name)}"
        for name, wanted in _COLUMNS.items()
    ]
    found = relation.project(", ".join([*chosen, f"'{kind}' AS kind"])).to_arrow_table()
    unknown = found["patient"].null_count + found["date"].null_count
    if unknown or (kind not in _DAYS and _reversed(connection, found)):
        raise AdherenceError("a period has no patient, no first day, or ends before it begins", "period_invalid", kind)
    return found


def _reversed(connection: duckdb.DuckDBPyConnection, found: pa.Table) -> bool:
    return bool(connection.from_arrow(found).filter('"end" <= "date"').limit(1).fetchall())


def _renamed(columns: Columns) -> str:
    names = {
        "patient": columns.patient,
        "date": columns.date,
        "end": columns.end,
        "class": columns.medication_class,
        "kind": columns.kind,
    }
    return ", ".join(f"{quoted(ours)} AS {quoted(theirs)}" for ours, theirs in names.items())


def _arrow(table: EventTable) -> pa.Table | pa.RecordBatchReader:
    if isinstance(table, duckdb.DuckDBPyRelation):
        return table.to_arrow_reader()
    if isinstance(table, pa.Table | pa.RecordBatchReader):
        return table
    if not hasattr(table, "__arrow_c_stream__"):
        raise AdherenceError("not a table: it exports no Arrow stream", "table_unreadable")
    return pa.RecordBatchReader.from_stream(table)
