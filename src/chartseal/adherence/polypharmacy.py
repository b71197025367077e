"""One estimate of a patient's several medications."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import pyarrow as pa

from chartseal.adherence.cma import CmaName
from chartseal.adherence.kernel import measure_table
from chartseal.adherence.tables import Columns, EventTable
from chartseal.adherence.windows import Window

Method: TypeAlias = Literal["mean", "median", "min", "max"]


def polypharmacy(
    events: EventTable,
    cma: CmaName,
    window: Window | None = None,
    *,
    aggregate_first: bool = True,
    method: Method = "mean",
    skip_unknown: bool = True,
    threshold: float | None = None,
    carry_only_for_same_medication: bool = False,
    consider_dosage_change: bool = False,
    columns: Columns | None = None,
) -> pa.Table:
    """`cma` of each patient's medications taken together; a medication is a `group` of the events.

    Not `aggregate_first`: the mean, median, minimum or maximum of the groups' CMAs. `aggregate_first`: that of the
    groups' values in each interval of `polypharmacy_intervals`, weighted by the interval's days. With aᵢ that aggregate
    in interval i and wᵢ its days between s and e, the first start and last end of the windows of groups that have
    supply in them: Σ aᵢ wᵢ / (e - s).

    By CMA7 the mean says which share of the medications was at hand on an average day, the minimum on which share of
    the days all were, the maximum on which share any was. A group without supply in its window does not count.

    `skip_unknown` leaves out what has no value; otherwise one such value leaves the patient without. With a
    `threshold` t (0 to 1, only with `aggregate_first`) aᵢ is 1 where it is t or more and 0 elsewhere: the share of days
    on which that much of the medications was at hand.

    Returns columns `patient`, `cma`, `reason` (why `cma` is null: `no_supply_in_window`, `no_estimate`, or why one of
    the groups cannot be measured).

    Raises:
        AdherenceError: `column_missing` (`group` too), `column_type`, `settings_invalid`, `table_unreadable`.

    Source: Dima & Dediu 2017, PLoS ONE 12(4):e0174426; Choudhry et al. 2009, Pharmacoepidemiology and Drug Safety
    18:853.
    """
    settings = {
        "cma": cma,
        "aggregate_first": aggregate_first,
        "method": method,
        "skip_unknown": skip_unknown,
        "threshold": threshold,
        "carry_only_for_same_medication": carry_only_for_same_medication,
        "consider_dosage_change": consider_dosage_change,
        "output": "patients",
    }
    return _measured(events, window or Window(), settings, columns)


def polypharmacy_intervals(
    events: EventTable,
    cma: CmaName,
    window: Window | None = None,
    *,
    method: Method = "mean",
    skip_unknown: bool = True,
    carry_only_for_same_medication: bool = False,
    consider_dosage_change: bool = False,
    columns: Columns | None = None,
) -> pa.Table:
    """The intervals that `polypharmacy` aggregates first: time is cut where any group's supply begins or runs out.

    A group's value in an interval is `cma` of the stretch of unbroken supply that covers it (CMA9: supply of the
    stretch by its days up to the next supply, at most 1), or 0 where none does; groups count in the intervals that
    their observation windows touch.

    Returns columns `patient`, `group`, `interval` (from 1), `start`, `end`, `days`, `aggregate` (of the groups),
    `value` (of this group), `reason` (why a patient has no interval); a row for each interval and group that counts.

    Raises:
        AdherenceError: as `polypharmacy`.
    """
    settings = {
        "cma": cma,
        "aggregate_first": True,
        "method": method,
        "skip_unknown": skip_unknown,
        "carry_only_for_same_medication": carry_only_for_same_medication,
        "consider_dosage_change": consider_dosage_change,
        "output": "intervals",
    }
    return _measured(events, window or Window(), settings, columns)


def _measured(events: EventTable, window: Window, settings: dict[str, Any], columns: Columns | None) -> pa.Table:
    settings = {"window": window.to_json(), **settings}
    return measure_table("polypharmacy", events, settings, columns=columns, extra=window.columns())
