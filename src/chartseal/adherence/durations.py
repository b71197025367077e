"""Event durations: how many days dispensed quantities last at the doses prescribed.

Dispensings (`kind` `supply` or null), prescriptions (`prescribed`) and special periods (`stay`, …) are rows of one
table of events:

| `kind` | `date` | `end` | `quantity` | `daily_dose` | medication |
|---|---|---|---|---|---|
| `supply` | day dispensed | | total dose | | `group`, `class`, `ingredient` |
| `prescribed` | first day | first day after it, null: until changed | | dose a day | the same |
| `stay`, … | first day | first day after it | | | |

`quantity` and `daily_dose` are in one unit. A prescription counts for supplies of its own group, class and ingredient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from chartseal.adherence.kernel import measure_table
from chartseal.adherence.tables import Columns, EventTable
from chartseal.errors import AdherenceError

Method: TypeAlias = Literal["continue", "carryover", "discard"]
"""What becomes of supply at hand: taken as before; kept until the end; lost from the start on."""

_METHODS = ("continue", "carryover", "discard")
_NOT_PERIODS = frozenset({"supply", "prescribed"})
MOST_KINDS = 64
MOST_WAIT_DAYS = 36_600


@dataclass(frozen=True)
class DurationRules:
    """How supplies are used up.

    `interruption`: between the end of one prescription and the next of the same medication; it prevails over `special`.
    `special`: in periods of a kind; where some overlap, the one that began last holds.
    `split_on_dose_change`: a new dose counts from its day on, and cuts supplies in two; otherwise from the next supply.
    `carry_over`: supplies of a medication are used one after another, not each from its own day.
    `renew`: a prescription ends when anything else is prescribed to the patient and it is not renewed that day.
    `backdate`: a first prescription without an end counts from the first supply before it.
    `wait_days`: the most days that supply waits (or lies before a backdated prescription); then it is left over.
    """

    interruption: Method = "continue"
    special: Mapping[str, Method] = field(default_factory=dict)
    split_on_dose_change: bool = True
    carry_over: bool = False
    renew: bool = False
    backdate: bool = False
    wait_days: int | None = None

    def __post_init__(self) -> None:
        methods = [
            ("interruption", self.interruption),
            *((f"special.{kind}", way) for kind, way in self.special.items()),
        ]
        for path, method in methods:
            if method not in _METHODS:
                raise AdherenceError(f"one of {', '.join(_METHODS)}", "settings_invalid", path)
        if len(self.special) > MOST_KINDS or not _NOT_PERIODS.isdisjoint(self.special):
            raise AdherenceError(f"at most {MOST_KINDS} kinds of periods", "settings_invalid", "special")
        if self.wait_days is not None and not 0 <= self.wait_days <= MOST_WAIT_DAYS:
            raise AdherenceError(f"from 0 to {MOST_WAIT_DAYS} days", "settings_invalid", "wait_days")

    def to_json(self) -> dict[str, Any]:
        """As the kernel reads it."""
        return {
            "interruption": self.interruption,
            "special": dict(self.special),
            "split": self.split_on_dose_change,
            "carry_over": self.carry_over,
            "renew": self.renew,
            "backdate": self.backdate,
            "wait_days": self.wait_days,
        }


def durations(
    events: EventTable,
    rules: DurationRules | None = None,
    *,
    quantity: str = "quantity",
    prescribed_days: str = "prescribed_days",
    columns: Columns | None = None,
) -> pa.Table:
    """Days that each supply lasts: quantity / daily dose, cut where the dose changes, taking pauses or ends.

    `quantity` names the column of dispensed total doses, `prescribed_days` one of prescriptions' days (read where `end`
    is null; it need not be there). `special` periods without a method in `rules` have no effect.

    Returns a row for each part of a supply, an event table that `supplies`, `prune`, `cover` and every measure takes:
    patient, group, class, ingredient as the events have them; `date`, `days_supply` and `daily_dose` of the part;
    `dispensed`; `supply` (numbered within the patient) and `part` (from 0); `quantity` at the part's start, `leftover`
    at its end; why it `begun` and `ended` (`dispensed`, `used_up`, `dose_change`, `special_period`, `interruption`,
    `unknown`); `waited_days` before it; `special_days` of it in periods or interruptions of method continue;
    `episode_start`, `episode_end` of the prescription; `event` and `prescription`, the references of what it is
    derived from (where events have a column `event`); `reason`.

    Nothing is guessed: `days_supply` is null from where on a supply's length cannot be told (`no_prescription`,
    `prescribed_later`, `prescription_date_unknown`, `prescription_invalid`, `prescriptions_contradict`,
    `daily_dose_unknown`, `daily_dose_invalid`, `quantity_unknown`, `quantity_invalid`, `date_unknown`, `date_invalid`,
    `days_supply_invalid`, `too_many_parts`, `patient_unknown`), and 0 where none of it is taken (`discarded`,
    `not_resumed`).

    Raises:
        AdherenceError: `column_missing`, `column_type`, `table_unreadable`.

    Source: Dima & Dediu 2017, PLoS ONE 12(4):e0174426; AdhereR's manual, compute_event_durations.
    """
    settings = {**(rules or DurationRules()).to_json(), "quantity": quantity, "prescribed_days": prescribed_days}
    optional = (prescribed_days, "event")
    return measure_table("durations", events, settings, columns=columns, extra=(quantity,), optional=optional)
