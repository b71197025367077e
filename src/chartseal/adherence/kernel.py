"""The one way to the Rust kernel: a measure's name, batches of whole patients, settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from chartseal import _core
from chartseal.adherence.tables import Columns, EventTable, batches


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


def measure_table(
    name: str,
    events: EventTable,
    settings: Mapping[str, Any],
    *,
    columns: Columns | None = None,
    extra: Sequence[str] = (),
) -> pa.Table:
    """A whole table of events; an empty one gives an empty table of the same columns.

    Raises:
        AdherenceError: as `measure`, and `table_unreadable`.
    """
    found = list(measure_batches(name, batches(events, columns, extra=extra), settings))
    if found:
        return pa.Table.from_batches(found)
    return pa.Table.from_batches([measure(name, _EMPTY, settings)])


_EMPTY = pa.record_batch(
    {
        "patient": pa.array([], pa.string()),
        "date": pa.array([], pa.date32()),
        "days_supply": pa.array([], pa.float64()),
    }
)
