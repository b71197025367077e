"""A CMA of windows that slide over the observation window."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from chartseal.adherence.cma import CmaName
from chartseal.adherence.kernel import measure_table
from chartseal.adherence.tables import Columns, EventTable
from chartseal.adherence.windows import Span, Window, days_since_epoch

_NO_DAYS, _NINETY_DAYS, _THIRTY_DAYS = Span(0), Span(90), Span(30)


def sliding(
    events: EventTable,
    cma: CmaName,
    window: Window | None = None,
    *,
    start: Span | date = _NO_DAYS,
    length: Span = _NINETY_DAYS,
    step: Span | int = _THIRTY_DAYS,
    carry_only_for_same_medication: bool = False,
    consider_dosage_change: bool = False,
    columns: Columns | None = None,
) -> pa.Table:
    """`cma` of windows of one `length`, as many as fit in the observation window [s, e).

    Window k = 0, 1, … begins k steps after `start`, which counts from s or is a day; the last ends by e. A `step` that
    is a number is how many windows there are: the last ends on e, and window k of n begins ⌊k (e - first window's
    end) / (n - 1)⌋ days after the first. Months and years are calendar ones.

    Returns columns `patient`, `group` (where events have one), `window` (from 1), `window_start`, `window_end` (the
    first day after it), `cma`, `reason` (why `cma` is null; `window_outside_observation` where none fits).

    Raises:
        AdherenceError: `column_missing`, `column_type`, `settings_invalid`, `table_unreadable`.

    Source: Dima & Dediu 2017, PLoS ONE 12(4):e0174426.
    """
    window = window or Window()
    settings = {
        "cma": cma,
        "window": window.to_json(),
        "start": {"after": start.to_json()} if isinstance(start, Span) else {"on": days_since_epoch(start)},
        "length": length.to_json(),
        "step": {"span": step.to_json()} if isinstance(step, Span) else {"count": step},
        "carry_only_for_same_medication": carry_only_for_same_medication,
        "consider_dosage_change": consider_dosage_change,
    }
    return measure_table("sliding", events, settings, columns=columns, extra=window.columns())
