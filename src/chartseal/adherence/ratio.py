"""Medication possession ratio."""

from __future__ import annotations

import pyarrow as pa

from chartseal.adherence.kernel import measure_table
from chartseal.adherence.tables import Columns, EventTable
from chartseal.adherence.windows import Window


def mpr(events: EventTable, window: Window | None = None, *, columns: Columns | None = None) -> pa.Table:
    """Days supplied in the observation window by its days: Σ days supply / days of the window, above 1 on overlap.

    Returns columns `patient`, `group` (where events have one), `mpr`, `reason` (why `mpr` is null).

    Raises:
        AdherenceError: `column_missing`, `column_type`, `table_unreadable`.

    Source: Andrade et al. 2006, Pharmacoepidemiology and Drug Safety 15:565.
    """
    window = window or Window()
    return measure_table("mpr", events, {"window": window.to_json()}, columns=columns, extra=window.columns())
