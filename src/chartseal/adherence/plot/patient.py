"""One patient's rows out of a table of events."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chartseal.adherence.tables import Columns, EventTable, batches
from chartseal.adherence.windows import Window
from chartseal.errors import AdherenceError

MOST_EVENTS = 2_000
"""Rows of one picture: more cannot be told apart."""


def rows_of(events: EventTable, patient: object, columns: Columns | None, window: Window) -> pa.Table:
    """The rows of `patient` under the kernel's names; of the only one where `patient` is None.

    Raises:
        AdherenceError: `patient_unknown`, `patient_ambiguous` (None, and there are several), `limit_exceeded`, and
            what reading the table refuses.
    """
    found: list[pa.RecordBatch] = []
    for batch in batches(events, columns, extra=window.columns()):
        if patient is not None:
            batch = _only(batch, patient)
        if batch.num_rows:
            found.append(batch)
            _check(found)
    if not found:
        raise AdherenceError("there is no row of this patient", "patient_unknown")
    return pa.Table.from_batches(found)


def _only(batch: pa.RecordBatch, patient: object) -> pa.RecordBatch:
    column = batch.column("patient")
    try:
        wanted: pa.Scalar[Any] = pa.scalar(patient).cast(column.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return batch.slice(0, 0)  # a text that is no number is no patient whose id is one
    return batch.filter(pc.equal(column, wanted))


def _check(found: list[pa.RecordBatch]) -> None:
    if found[-1].column("patient")[-1] != found[0].column("patient")[0]:
        raise AdherenceError(
            "the events are of several patients, and a picture is of one: `patient` says which", "patient_ambiguous"
        )
    if sum(batch.num_rows for batch in found) > MOST_EVENTS:
        raise AdherenceError(f"a picture holds {MOST_EVENTS} events at most", "limit_exceeded")
