"""Tables of events as the kernel takes them: columns of our names and types, the rows of a patient together.

DuckDB reads, renames, casts and sorts, out of core where it must; what comes out is a stream of batches of whole
patients, so that memory is bounded by the batch and not by the cohort.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from chartseal.errors import AdherenceError

EventTable: TypeAlias = Any
"""Whatever exports an Arrow stream (pyarrow, pandas, polars) or is a DuckDB relation."""

ROWS = 1_000_000
"""Rows of a batch, before a patient is held back whole."""

_TYPES: Mapping[str, str] = {
    "date": "DATE",
    "end": "DATE",
    "days_supply": "DOUBLE",
    "daily_dose": "DOUBLE",
    "kind": "VARCHAR",
    "medication_class": "VARCHAR",
    "ingredient": "VARCHAR",
    "group": "VARCHAR",
}

_KERNEL_NAMES = {"medication_class": "class"}


@dataclass(frozen=True)
class Columns:
    """What a table of events calls its columns. Those but `patient` and `date` need not be there.

    `patient` is of any type. `date` is the first day of a supply, `days_supply` how many days it lasts. `group` is what
    is measured apart within a patient (say, the class again); without it all supplies of a patient are one.
    `kind` tells supplies (`supply`, or null) from periods such as `stay`, which go up to but not including `end`.
    """

    patient: str = "patient"
    date: str = "date"
    days_supply: str = "days_supply"
    daily_dose: str = "daily_dose"
    medication_class: str = "class"
    ingredient: str = "ingredient"
    group: str = "group"
    kind: str = "kind"
    end: str = "end"


def batches(
    events: EventTable, columns: Columns | None = None, *, extra: Sequence[str] = (), rows: int = ROWS
) -> Iterator[pa.RecordBatch]:
    """`events` as the kernel's batches: whole patients, in the order of their ids; `extra` columns come along.

    Raises:
        AdherenceError: `column_missing`, `column_type`, `table_unreadable`.
    """
    columns = columns or Columns()
    with duckdb.connect() as connection:
        try:
            relation = _relation(connection, events)
            ordered = relation.query("events", _query(relation.columns, columns, extra))
            assert ordered is not None  # noqa: S101 (a SELECT has a result)
            yield from whole_patients(ordered.to_arrow_reader(rows))
        except (duckdb.ConversionException, duckdb.BinderException) as exc:
            raise AdherenceError("a column cannot be read as what it must be", "column_type") from exc
        except (duckdb.Error, pa.ArrowInvalid) as exc:
            raise AdherenceError("the events cannot be read", "table_unreadable") from exc


def whole_patients(reader: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches cut anew so that no patient is in two: the last patient of each waits for the next."""
    held: list[pa.RecordBatch] = []
    for batch in reader:
        if batch.num_rows == 0:
            continue
        patients = batch.column("patient")
        if held and _last(held[-1]) == patients[0]:
            start = _run_start(patients, first=True)
            held.append(batch.slice(0, start))
            batch = batch.slice(start)
            if batch.num_rows == 0:
                continue
        last = _run_start(batch.column("patient"), first=False)
        held.append(batch.slice(0, last))
        yield from _joined(held)
        held = [batch.slice(last)]
    yield from _joined(held)


def _last(batch: pa.RecordBatch) -> pa.Scalar[Any]:
    return batch.column("patient")[-1]


def _run_start(patients: pa.Array[Any], *, first: bool) -> int:
    """Where the first patient's run ends, or where the last one's starts."""
    same = pc.equal(patients, patients[0 if first else -1])
    if first:
        ended = pc.index(same, pa.scalar(False)).as_py()
        return len(patients) if ended < 0 else int(ended)
    return int(pc.index(same, pa.scalar(True)).as_py())


def _joined(held: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    kept = [batch for batch in held if batch.num_rows]
    if kept:
        yield kept[0] if len(kept) == 1 else pa.concat_batches(kept)


def _relation(connection: duckdb.DuckDBPyConnection, events: EventTable) -> duckdb.DuckDBPyRelation:
    if isinstance(events, duckdb.DuckDBPyRelation):
        events = events.to_arrow_reader(ROWS)
    elif not isinstance(events, pa.Table | pa.RecordBatchReader):
        if not hasattr(events, "__arrow_c_stream__"):
            raise AdherenceError("not a table: it exports no Arrow stream", "table_unreadable")
        events = pa.RecordBatchReader.from_stream(events)
    return connection.from_arrow(events)


def _query(present: Sequence[str], columns: Columns, extra: Sequence[str]) -> str:
    chosen = [f"{_quoted(_required(present, columns.patient))} AS patient"]
    for field in fields(columns)[1:]:
        name = getattr(columns, field.name)
        if name in present:
            as_name = _KERNEL_NAMES.get(field.name, field.name)
            chosen.append(f"CAST({_quoted(name)} AS {_TYPES[field.name]}) AS {_quoted(as_name)}")
        elif field.name == "date":
            _required(present, name)
    chosen += [_quoted(_required(present, name)) for name in extra]
    return f"SELECT {', '.join(chosen)} FROM events ORDER BY patient"  # noqa: S608 (names are quoted)


def _required(present: Sequence[str], name: str) -> str:
    if name not in present:
        raise AdherenceError("there is no such column", "column_missing", name)
    return name


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
