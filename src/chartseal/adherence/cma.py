"""CMA 0 to 9: continuous multiple-interval measures of medication availability or gaps."""

from __future__ import annotations

from typing import Literal, TypeAlias

import pyarrow as pa

from chartseal.adherence.kernel import measure_table
from chartseal.adherence.tables import Columns, EventTable
from chartseal.adherence.windows import Window

CmaName: TypeAlias = Literal["CMA0", "CMA1", "CMA2", "CMA3", "CMA4", "CMA5", "CMA6", "CMA7", "CMA8", "CMA9"]


def cma(
    events: EventTable,
    name: CmaName,
    window: Window | None = None,
    *,
    carry_only_for_same_medication: bool = False,
    consider_dosage_change: bool = False,
    columns: Columns | None = None,
) -> pa.Table:
    """The CMA called `name` of every patient and group, by supplies that begin in the window [s, e) or on day e.

    With days t₁…tₙ, days of supply dᵢ, and intervals and gaps as `gaps` defines them:

    - CMA1: Σ dᵢ before the last / (tₙ - t₁); CMA3: the same, at most 1
    - CMA2: Σ dᵢ / (e - t₁); CMA4: the same, at most 1
    - CMA5: 1 - gaps from t₁ to tₙ / (tₙ - t₁), carrying over within the window
    - CMA6: 1 - gaps from t₁ to e / (e - t₁), carrying over within the window
    - CMA7: 1 - days without supply from s to e / (e - s), carrying over within and into the window
    - CMA8: CMA7 from the day on which supplies of before s have run out
    - CMA9: the mean over the window's days of min(1, (dᵢ + carried over) / days to the next supply), the last one's
      to the end of follow-up; 0 before the first supply
    - CMA0: no value; the windows, and how many supplies are in them

    `carry_only_for_same_medication` carries nothing over to a supply of another class; `consider_dosage_change` counts
    days carried over at the next supply's dose. Neither has a meaning for CMA 1 to 4, which carry nothing over.

    Returns columns `patient`, `group` (where events have one), `cma` (not for CMA0), `follow_up_supplies` and
    `window_supplies` (how many begin there), `window_start` and `window_end` (CMA8: of the window that is left), and
    `reason` (why `cma` is null): `window_empty`, `window_unknown`, `window_outside_follow_up`, `no_event_in_window`,
    `one_event`, `interval_empty`, `supplied_throughout`, `class_unknown`, `daily_dose_unknown`, `daily_dose_invalid`,
    or a fault of the group's supplies.

    Raises:
        AdherenceError: `column_missing`, `column_type`, `settings_invalid` (no such CMA), `table_unreadable`.

    Source: Vollmer et al. 2012, BMC Health Services Research 12:155; Hess et al. 2006, Annals of Pharmacotherapy
    40:1280; Choudhry et al. 2009, Pharmacoepidemiology and Drug Safety 18:853; Dima & Dediu 2017, PLoS ONE
    12(4):e0174426 (numbering, CMA9).
    """
    window = window or Window()
    settings = {
        "cma": name,
        "window": window.to_json(),
        "carry_only_for_same_medication": carry_only_for_same_medication,
        "consider_dosage_change": consider_dosage_change,
    }
    return measure_table("cma", events, settings, columns=columns, extra=window.columns())
