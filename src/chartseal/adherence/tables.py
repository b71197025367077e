"""Tables of events as the kernel takes them: columns of our names and types, the rows of a patient together.

DuckDB reads, renames, casts and sorts, out of core where it must; what comes out is a stream of batches of whole
patients, so that memory is bounded by the batch and not by the cohort.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from chartseal.adherence.database import connect, quoted
from chartseal.errors import AdherenceError

EventTable: TypeAlias = Any
"""Whatever exports an Arrow stream (pyarrow, pandas, polars) or is a DuckDB relation."""

ROWS = 1_000_000
"""Rows of a batch at least, before a patient is held back whole."""


TYPES: Mapping[str, str] = {
    "date": "DATE",
    "end": "DATE",
    "days_supply": "DOUBLE",
    "daily_dose": "DOUBLE",
    "kind": "VARCHAR",
    "medication_class": "VARCHAR",
    "ingredient": "VARCHAR",
    "group": "VARCHAR",
}

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "BIGNUM")
_FITTING: Mapping[str, tuple[str, ...]] = {
    # A timestamp with a zone has no one day: it is the caller who knows the local one.
    "DATE": ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "VARCHAR", '"NULL"'),
    "DOUBLE": (*_NUMBERS, *("U" + name for name in _NUMBERS), "VARCHAR", '"NULL"'),
}
"""DuckDB types that are read as ours; a text that does not parse is null, so that one bad row is one patient's."""

_WORDS = {"DATE": "a date", "DOUBLE": "a number"}

_REQUIRED = frozenset({"patient", "date"})

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


@dataclass(frozen=True)
class Limits:
    """What sorting may take: memory (as `2GB`), where it spills what is over, threads.

    Left out, memory and threads are DuckDB's own choice, and the folder is one that the owner alone reads.

    A DuckDB relation is read by its own connection, under that one's limits.
    """

    memory: str | None = None
    folder: Path | None = None
    threads: int | None = None

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A new database in memory under these limits."""
        return connect(memory_limit=self.memory, temp_directory=self.folder, threads=self.threads)


def batches(
    events: EventTable,
    columns: Columns | None = None,
    *,
    extra: Sequence[str] = (),
    optional: Sequence[str] = (),
    rows: int = ROWS,
    limits: Limits | None = None,
) -> Iterator[pa.RecordBatch]:
    """`events` as the kernel's batches: whole patients, in the order of their ids; `extra` columns come along.

    Those `optional` come along too where there are such. At least one batch: an empty one where there are no events.

    Raises:
        AdherenceError: `column_missing`, `column_twice`, `column_type`, `table_unreadable`.
    """
    columns = columns or Columns()
    try:
        with (limits or Limits()).connect() as connection:
            relation = _relation(connection, events, _names(columns, [*extra, *optional]))
            present = [name for name in optional if name in relation.columns]
            chosen = _chosen(relation, columns, [*extra, *present])
            once = {read: name for name, read in reversed(list(chosen.items()))}  # sorting a column twice costs twice
            read = ", ".join(f"{read} AS {quoted(name)}" for read, name in once.items())
            reader = _sorted(relation.project(read), events).to_arrow_reader(rows)
            cut = whole_patients(reader, rows)
            for batch in chain([next(cut, pa.RecordBatch.from_pylist([], reader.schema))], cut):
                named = {name: batch.column(once[read]) for name, read in chosen.items()}
                yield pa.RecordBatch.from_arrays(list(named.values()), names=list(named))
    except (duckdb.ConversionException, duckdb.BinderException, pa.ArrowNotImplementedError) as exc:
        raise AdherenceError("a column cannot be read as what it must be", "column_type") from exc
    except (duckdb.Error, pa.ArrowException, UnicodeError) as exc:
        raise AdherenceError("the events cannot be read", "table_unreadable") from exc


def _sorted(relation: duckdb.DuckDBPyRelation, events: EventTable) -> duckdb.DuckDBPyRelation:
    """By patient: to the user's own connection `a` and `A` may be alike, and would not lie apart."""
    is_text = relation.types[relation.columns.index("patient")] == "VARCHAR"
    is_collated = is_text and isinstance(events, duckdb.DuckDBPyRelation)
    return relation.order("patient COLLATE POSIX" if is_collated else "patient")


def whole_patients(reader: Iterable[pa.RecordBatch], rows: int = 1) -> Iterator[pa.RecordBatch]:
    """Batches cut anew, of `rows` or more, so that no patient is in two; a patient's rows must lie together.

    The last patient of each batch waits for the next.
    """
    whole: list[pa.RecordBatch] = []
    last: list[pa.RecordBatch] = []
    for batch in reader:
        if batch.num_rows == 0:
            continue
        start = _last_start(batch.column("patient"))
        if start > 0 or not last or not _goes_on(last[-1], batch):
            whole += [*last, batch.slice(0, start)]
            last = []
        last.append(batch.slice(start))
        if sum(each.num_rows for each in whole) >= rows:
            yield from _joined(whole)
            whole = []
    yield from _joined([*whole, *last])


def _goes_on(last: pa.RecordBatch, batch: pa.RecordBatch) -> bool:
    """Whether `batch` begins with the patient that `last` ends with."""
    return bool(_same(batch.column("patient").slice(0, 1), last.column("patient")[-1])[0].as_py())


def _last_start(patients: pa.Array[Any]) -> int:
    """Where the last patient's run starts."""
    return int(pc.index(_same(patients, patients[-1]), pa.scalar(True)).as_py())


def _same(patients: pa.Array[Any], patient: pa.Scalar[Any]) -> pa.Array[Any]:
    """Which are `patient`: no patient is one patient, and so is a number that is none (NaN)."""
    if not patient.is_valid:
        return pc.is_null(patients)
    if pa.types.is_floating(patient.type) and patient != patient:
        return pc.is_nan(patients)
    return pc.equal(patients, patient)


def _joined(held: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    kept = [batch for batch in held if batch.num_rows]
    if kept:
        yield kept[0] if len(kept) == 1 else pa.concat_batches(kept)


def _relation(
    connection: duckdb.DuckDBPyConnection, events: EventTable, wanted: Sequence[str]
) -> duckdb.DuckDBPyRelation:
    if isinstance(events, duckdb.DuckDBPyRelation):
        return events
    if not isinstance(events, pa.Table | pa.RecordBatchReader):
        events = _stream(events)
    names = events.schema.names
    for name in wanted:
        require_one(names, name)
    return connection.from_arrow(events)


def _stream(events: EventTable) -> pa.RecordBatchReader:
    """Whatever exports an Arrow stream.

    Raises:
        AdherenceError: `table_unreadable`: it exports none, or a column holds values of several types.
    """
    if not hasattr(events, "__arrow_c_stream__"):
        raise AdherenceError("not a table: it exports no Arrow stream", "table_unreadable")
    try:
        return pa.RecordBatchReader.from_stream(events)
    except (TypeError, ValueError, OverflowError, pa.ArrowException) as exc:
        raise AdherenceError("the table has no Arrow form: a column of mixed types?", "table_unreadable") from exc


def _names(columns: Columns, extra: Sequence[str]) -> list[str]:
    return [*(getattr(columns, field.name) for field in fields(columns)), *extra]


def kernel_name(field: str) -> str:
    """What the kernel calls a field of `Columns`."""
    return _KERNEL_NAMES.get(field, field)


def require_one(present: Sequence[str], name: str) -> None:
    """Refuse (`column_twice`) a name that several columns have."""
    # DuckDB takes names that differ in case alone for one, and would read whichever comes first.
    if sum(each.casefold() == name.casefold() for each in present) > 1:
        raise AdherenceError("two columns have this name, or one that differs in case alone", "column_twice", name)


def _chosen(relation: duckdb.DuckDBPyRelation, columns: Columns, extra: Sequence[str]) -> Mapping[str, str]:
    """What the kernel reads: our names, and expressions of our types."""
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    chosen: dict[str, str] = {}
    for field in fields(columns):
        name = getattr(columns, field.name)
        require_one(relation.columns, name)
        if name in types:
            read = _patient(name, types) if field.name == "patient" else _cast(name, types[name], TYPES[field.name])
            chosen[kernel_name(field.name)] = read
        elif field.name in _REQUIRED:
            raise AdherenceError("there is no such column", "column_missing", name)
    for name in extra:
        chosen.setdefault(name, _extra(name, types))
    return chosen


def _patient(name: str, types: Mapping[str, str]) -> str:
    if types[name].startswith("ENUM"):
        return f"CAST({quoted(name)} AS VARCHAR)"
    if types[name].endswith("]") or types[name].startswith(("STRUCT", "MAP", "UNION")):
        raise AdherenceError("an id is one value, not a list or structure", "column_type", name)
    return quoted(name)


def _cast(name: str, present: str, wanted: str) -> str:
    if wanted in _FITTING and present.partition("(")[0] not in _FITTING[wanted]:
        raise AdherenceError(
            f"{present.partition('(')[0].lower()} is not read as {_WORDS[wanted]}", "column_type", name
        )
    return quoted(name) if present == wanted else f"TRY_CAST({quoted(name)} AS {wanted})"


def _extra(name: str, types: Mapping[str, str]) -> str:
    if name not in types:
        raise AdherenceError("there is no such column", "column_missing", name)
    return _cast(name, types[name], "DATE") if types[name].startswith("TIMESTAMP") else quoted(name)
