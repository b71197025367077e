"""Time to initiation: from a medication's first prescription to its first supply."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa

from chartseal.adherence.kernel import measure_table
from chartseal.adherence.tables import Columns, EventTable
from chartseal.adherence.windows import days_since_epoch
from chartseal.errors import AdherenceError

MOST_DAYS = 3_660


def initiation(events: EventTable, until: date, *, within_days: int = 30, columns: Columns | None = None) -> pa.Table:
    """Days from first prescription (`kind` `prescribed`) to first supply of the same group, class and ingredient.

    Observation ends with the day `until` (the last that the data tell of), with the day of death (`died`), or before
    the end of the enrolment (`enrolled`) in which the prescription falls, whichever is first.

    Returns a row for each medication of a patient: patient, group, class, ingredient as the events have them;
    `first_prescription`, `first_supply`; `days` to the supply, or of observation where there was none; `initiated`;
    `primary_nonadherent`: no supply by `within_days` days after the prescription, null where observation was shorter;
    `censored_by` (`end_of_data`, `died`, `disenrolled`); `prescription` and `supply_event`, the references of both
    (where events have a column `event`); `reason` why nothing is measured (`no_prescription`, `not_enrolled`,
    `supplied_before_prescription`, `prescribed_after_end`, `prescription_date_unknown`, `date_unknown`,
    `patient_unknown`).

    Raises:
        AdherenceError: `settings_invalid`, `column_missing`, `column_type`, `table_unreadable`.

    Source: Vrijens et al. 2012, Br J Clin Pharmacol 73:691; Raebel et al. 2013, Med Care 51 Suppl 3:S11; AdhereR's
    manual, time_to_initiation.
    """
    if not 0 <= within_days <= MOST_DAYS:
        raise AdherenceError(f"from 0 to {MOST_DAYS} days", "settings_invalid", "within_days")
    if until == date.max:
        raise AdherenceError("no day follows it", "settings_invalid", "until")
    settings = {"end": days_since_epoch(until + timedelta(days=1)), "within_days": within_days}
    return measure_table("initiation", events, settings, columns=columns, optional=("event",))
