"""The same measures over a Spark DataFrame: each task measures whole patients, one kernel thread a task.

    measured = spark_measure("pdc", dispensings, settings, columns=Columns(patient="member"))
    measured.write.parquet("pdc")

It needs the extra `spark`. Python workers read Arrow batches of a sorted partition (`mapInArrow`), cut anew between
patients, so that what a task holds is one batch and no more than one patient beyond it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from importlib.util import find_spec
from typing import Any, TypeAlias

import pyarrow as pa

from chartseal.adherence.kernel import measure
from chartseal.adherence.tables import TYPES, Columns, kernel_name, require_one, whole_patients
from chartseal.errors import AdherenceError, MissingExtraError

if find_spec("pyspark") is None:
    raise MissingExtraError("pyspark is not installed: pip install 'chartseal[spark]'")

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as sql
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

Measure: TypeAlias = str | Callable[[pa.Table], pa.Table]
"""A measure of the kernel by its name, or a function of a table of whole patients, say `lambda events: pdc(events, w)`;
its events have the kernel's names of columns."""

_SPARK_TYPES = {"DATE": "date", "DOUBLE": "double", "VARCHAR": "string"}
_FITTING = {
    "DATE": ("date", "timestamp_ntz", "string", "void"),  # a timestamp is an instant: it has no one day
    "DOUBLE": ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "string", "void"),
}


def spark_measure(
    measured: Measure,
    events: DataFrame,
    settings: Mapping[str, Any] | None = None,
    *,
    columns: Columns | None = None,
    extra: Sequence[str] = (),
) -> DataFrame:
    """What `measured` makes of all patients of `events`, partitioned by patient; `extra` columns come along.

    Raises:
        AdherenceError: `column_missing`, `column_twice`, `column_type`, `settings_invalid`, at once; what a task meets
            later is a failure of Spark's job.
    """
    chosen = events.select(_chosen(events, columns or Columns(), extra))
    batch = _BatchMeasure(measured, dict(settings or {}))
    empty = pa.RecordBatch.from_pylist([], to_arrow_schema(chosen.schema))
    schema = from_arrow_schema(batch.of(empty).schema)
    return chosen.repartition("patient").sortWithinPartitions("patient").mapInArrow(batch, schema)


class _BatchMeasure:
    """A measure as `mapInArrow` calls it in each task."""

    def __init__(self, measured: Measure, settings: Mapping[str, Any]) -> None:
        self._measured, self._settings = measured, settings

    def __call__(self, events: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        os.environ["RAYON_NUM_THREADS"] = "1"  # read when this worker first measures: Spark's tasks are the threads
        return map(self.of, whole_patients(events))

    def of(self, events: pa.RecordBatch) -> pa.RecordBatch:
        if isinstance(self._measured, str):
            return measure(self._measured, events, self._settings)
        found = self._measured(pa.Table.from_batches([events])).combine_chunks()
        return next(iter(found.to_batches()), pa.RecordBatch.from_pylist([], found.schema))


def _chosen(events: DataFrame, columns: Columns, extra: Sequence[str]) -> list[SparkColumn]:
    """What the kernel reads, under its names and types."""
    types = {field.name: field.dataType.simpleString() for field in events.schema}
    chosen: dict[str, SparkColumn] = {}
    for field in fields(columns):
        name = getattr(columns, field.name)
        require_one(events.columns, name)
        if name in types:
            chosen[kernel_name(field.name)] = _cast(name, types[name], TYPES.get(field.name))
        elif field.name in ("patient", "date"):
            raise AdherenceError("there is no such column", "column_missing", name)
    for name in extra:
        if name not in types:
            raise AdherenceError("there is no such column", "column_missing", name)
        chosen.setdefault(name, _cast(name, types[name], "DATE" if types[name].startswith("timestamp") else None))
    return [column.alias(name) for name, column in chosen.items()]


def _cast(name: str, present: str, wanted: str | None) -> SparkColumn:
    column = sql.col(f"`{name.replace('`', '``')}`")
    if wanted is None:
        return column
    if wanted in _FITTING and present.partition("(")[0] not in _FITTING[wanted]:
        raise AdherenceError(f"{present} is not read as {_SPARK_TYPES[wanted]}", "column_type", name)
    return column.try_cast(_SPARK_TYPES[wanted])
