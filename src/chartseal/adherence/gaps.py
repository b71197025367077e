"""Event intervals and gap days: how long each supply lasts of the time until the next."""

from __future__ import annotations

import pyarrow as pa

from chartseal.adherence.cma import CmaName
from chartseal.adherence.kernel import measure_table
from chartseal.adherence.tables import Columns, EventTable
from chartseal.adherence.windows import Window


def gaps(
    events: EventTable,
    window: Window | None = None,
    *,
    cma: CmaName | None = None,
    carry_over_within: bool = True,
    carry_over_into: bool = True,
    carry_only_for_same_medication: bool = False,
    consider_dosage_change: bool = False,
    outside_follow_up: bool = False,
    columns: Columns | None = None,
) -> pa.Table:
    """One row a supply: its interval, its gap days and the days carried over to it.

    For supplies at days t₁…tₙ with days of supply dᵢ, in a window that ends on day e:
    intervalᵢ = min(tᵢ₊₁, e) - tᵢ, gapᵢ = max(0, intervalᵢ - dᵢ - carriedᵢ),
    carriedᵢ₊₁ = max(0, dᵢ + carriedᵢ - intervalᵢ), times dose now / dose next where `consider_dosage_change`,
    and 0 where the class changes and `carry_only_for_same_medication`.

    `carry_over_within` carries over from supply to supply. `carry_over_into` measures supplies before the window too,
    so that what they leave is carried into it. With `cma` both are what that CMA's definition says, and `used` is what
    it counts. `outside_follow_up` measures supplies outside follow-up too.

    Returns columns `patient`, `group`, `date`, `days_supply`, `daily_dose`, `class`, `ingredient`, `event` (those that
    events have), `interval_days`, `gap_days`, `carried_over`, `follow_up_start`, `follow_up_end`, `window_start`,
    `window_end`, `used` (the CMA counts it; without `cma`, it begins in the window) and `reason` (why there is no
    interval): `before_window`, `after_window`, `outside_follow_up`, or as for `cma`.

    Raises:
        AdherenceError: `column_missing`, `column_type`, `settings_invalid`, `table_unreadable`.

    Source: Dima & Dediu 2017, PLoS ONE 12(4):e0174426.
    """
    window = window or Window()
    settings = {
        "window": window.to_json(),
        "cma": cma,
        "carry_over_within": carry_over_within,
        "carry_over_into": carry_over_into,
        "carry_only_for_same_medication": carry_only_for_same_medication,
        "consider_dosage_change": consider_dosage_change,
        "outside_follow_up": outside_follow_up,
    }
    return measure_table("gaps", events, settings, columns=columns, extra=window.columns(), optional=("event",))
