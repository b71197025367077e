"""The one way to the Rust kernel: a measure's name, batches of whole patients, settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from chartseal import _core
from chartseal.adherence.tables import ROWS, Columns, EventTable, Limits, batches


def measure(name: str, batch: pa.RecordBatch, settings: Mapping[str, Any]) -> pa.RecordBatch:
    """One batch of whole patients, columns named as the kernel names them.

    Raises:
        AdherenceError: `column_missing`, `column_type`, `settings_invalid`.
    """
    return pa.record_batch(_core.adherence_measure(name, batch, json.dumps(settings)))


def measure_batches(
    name: str, events: Iterable[pa.RecordBatch], settings: Mapping[str, Any]
) -> Iterator[pa.RecordBatch]:
    """Batch by batch: the same function for DuckDB's streams and for Spark's `mapInArrow`."""
    return (measure(name, batch, settings) for batch in events)


def stream(
    name: str,
    events: EventTable,
    settings: Mapping[str, Any],
    *,
    columns: Columns | None = None,
    extra: Sequence[str] = (),
    rows: int = ROWS,
    limits: Limits | None = None,
) -> pa.RecordBatchReader:
    """Results batch by batch, for a cohort of any size: what is held is one batch, whatever the cohort's size.

    pyarrow.parquet, DuckDB and polars take the reader as it is.

    Raises:
        AdherenceError: as `measure`, and `table_unreadable`; the reader raises what is found further on.
    """
    found = measure_batches(name, batches(events, columns, extra=extra, rows=rows, limits=limits), settings)
    first = next(found)  # events are one batch at least
    return pa.RecordBatchReader.from_batches(first.schema, chain([first], found))


def write_parquet(results: pa.RecordBatchReader, path: Path) -> int:
    """Write results as they come; how many rows there were."""
    count = 0
    with ParquetWriter(path, results.schema, compression="zstd") as writer:
        for batch in results:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def measure_table(
    name: str,
    events: EventTable,
    settings: Mapping[str, Any],
    *,
    columns: Columns | None = None,
    extra: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> pa.Table:
    """A whole table of events; an empty one gives an empty table of the same columns.

    Columns `extra` must be there and come along, those `optional` come along where they are.

    Raises:
        AdherenceError: as `measure`, and `table_unreadable`.
    """
    read = batches(events, columns, extra=extra, optional=optional)
    return pa.Table.from_batches(list(measure_batches(name, read, settings)))
