"""Persistence: how long from the first supply until treatment stops."""

from __future__ import annotations

import pyarrow as pa

from chartseal.adherence.kernel import measure_table
from chartseal.adherence.pdc import Shift
from chartseal.adherence.tables import Columns, EventTable
from chartseal.adherence.windows import Window
from chartseal.errors import AdherenceError


def persistence(
    events: EventTable,
    window: Window | None = None,
    *,
    permissible_gap: int,
    shift: Shift = "ingredient",
    shift_stays: bool = False,
    columns: Columns | None = None,
) -> pa.Table:
    """Time from initiation (first supply in the window) to discontinuation, or to where it is censored.

    Discontinuation is the end of supply, overlaps carried forward as `pdc` does, after which more than
    `permissible_gap` days go by without any; a later supply is a restart. Censored is who has not stopped when the
    window, enrolment or life ends (periods `enrolled`, `died`). With `shift_stays`, days of stays use no supply and are
    no gap.

    Returns columns `patient`, `group` (where events have one), `initiation`, `persistent_days`, `discontinued`,
    `discontinuation` (first day without supply), `censored_by` (`window`, `enrolment`, `death`), `restart` (the first),
    `restarts` (how many), `implementation` (PDC from initiation to discontinuation or censoring), `reason`.

    Raises:
        AdherenceError: `gap_invalid`, `column_missing`, `column_type`, `table_unreadable`.

    Source: Vrijens et al. 2012, British Journal of Clinical Pharmacology 73:691 (ABC taxonomy: initiation,
    implementation, persistence); De Geest et al. 2018, Annals of Internal Medicine 169:30 (EMERGE); Cramer et al. 2008,
    Value in Health 11:44 (permissible gap).
    """
    if not 0 <= permissible_gap <= 36_500:
        raise AdherenceError("from 0 to 36500 days", "gap_invalid", "permissible_gap")
    window = window or Window()
    settings = {
        "window": window.to_json(),
        "permissible_gap": permissible_gap,
        "shift": shift,
        "shift_stays": shift_stays,
    }
    return measure_table("persistence", events, settings, columns=columns, extra=window.columns())
