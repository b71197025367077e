"""Proportion of days covered, and the spans of days that it counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from chartseal.adherence.kernel import measure_table
from chartseal.adherence.tables import Columns, EventTable
from chartseal.adherence.windows import Window, days_since_epoch
from chartseal.errors import AdherenceError

Period: TypeAlias = Literal["window", "from_first_fill"]
Shift: TypeAlias = Literal["ingredient", "class", "none"]

THRESHOLD = Fraction(4, 5)
"""0.80, above which PQA's measures count a patient as adherent."""


def pdc(
    events: EventTable,
    window: Window | None = None,
    *,
    period: Period = "window",
    shift: Shift = "ingredient",
    threshold: Fraction = THRESHOLD,
    as_of: date | None = None,
    columns: Columns | None = None,
) -> pa.Table:
    """PDC = days of the period that at least one supply covers / days of the period.

    Days are whole: a supply of n days covers floor(n), at least the day of its fill. A supply that begins before the
    last one of its ingredient ends begins on that end, and pushes on the next; supplies of unknown ingredient are one
    ingredient, and an ingredient `a|b` is a combination, which counts for each. A day that several ingredients cover
    counts once; cover past the end of the window does not count. `period` is the window, with what earlier supplies
    reach into it, or begins with the first fill in the window, before which nothing counts. `shift="class"` shifts
    supplies of one class, `"none"` loses what overlaps.

    With `as_of`, fills up to that day count, and the period goes up to and including it: PDC to date.

    Returns columns `patient`, `group` (where events have one), `fills`, `first_fill`, `last_fill` (those in the
    period), `period_start`, `period_days`, `covered_days`, `pdc`, `adherent` (whether it reaches `threshold`, compared
    as whole numbers), `gap_days` (days of the period not covered), `gap_days_allowed` (the most that the whole period
    may have), `gap_days_left` (allowed, less those so far; negative where the threshold is out of reach), `supply_end`
    (first day without supply after the last fill), `reason` (why the others are null).

    Raises:
        AdherenceError: `column_missing`, `column_type`, `table_unreadable`, `threshold_invalid`.

    Source: Nau 2012, Proportion of Days Covered as a Preferred Method of Measuring Medication Adherence, PQA; forward
    shift: Choudhry et al. 2009, Pharmacoepidemiology and Drug Safety 18:457.
    """
    window = window or Window()
    settings = _settings(window, period, shift, threshold, as_of)
    return measure_table("pdc", events, settings, columns=columns, extra=window.columns())


def covered(
    events: EventTable,
    window: Window | None = None,
    *,
    period: Period = "window",
    shift: Shift = "ingredient",
    as_of: date | None = None,
    columns: Columns | None = None,
) -> pa.Table:
    """The days that `pdc` counts, as spans for a timeline.

    Returns columns `patient`, `group` (where events have one), `start`, `end` (first day after), `kind` and `reason`.
    Spans of kind `covered` and `gap` are in order and together the period; each hospital stay is a span `stay` beside
    them. A group that cannot be measured is one row with a reason.

    Raises:
        AdherenceError: `column_missing`, `column_type`, `table_unreadable`.
    """
    window = window or Window()
    settings = _settings(window, period, shift, THRESHOLD, as_of)
    return measure_table("covered", events, settings, columns=columns, extra=window.columns())


def _settings(
    window: Window, period: Period, shift: Shift, threshold: Fraction, as_of: date | None
) -> Mapping[str, Any]:
    return {
        "window": window.to_json(),
        "period": period,
        "shift": shift,
        "threshold": threshold_json(threshold),
        "as_of": None if as_of is None else days_since_epoch(as_of),
    }


def threshold_json(threshold: Fraction) -> list[int]:
    """As the kernel reads it; a float is refused, since 0.8 is none of a double's values.

    Raises:
        AdherenceError: `threshold_invalid`.
    """
    if not isinstance(threshold, Fraction) or not 0 < threshold <= 1 or threshold.denominator >= 2**32:
        raise AdherenceError("not a Fraction above 0, at most 1", "threshold_invalid", "threshold")
    return [threshold.numerator, threshold.denominator]
