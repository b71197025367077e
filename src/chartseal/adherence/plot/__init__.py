"""A patient's supplies as a clinician reads them: events in, a picture out.

timeline(events, Window.between(date(2025, 1, 1), date(2025, 12, 31)), path="out.svg")
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import altair as alt

from chartseal.adherence.pdc import THRESHOLD, Period
from chartseal.adherence.plot.course import course_of
from chartseal.adherence.plot.drawing import draw
from chartseal.adherence.plot.patient import MOST_EVENTS, rows_of
from chartseal.adherence.plot.saving import save
from chartseal.adherence.tables import Columns, EventTable
from chartseal.adherence.windows import Window
from chartseal.errors import AdherenceError

__all__ = ["MOST_EVENTS", "timeline"]


def timeline(
    events: EventTable,
    window: Window | None = None,
    *,
    patient: object = None,
    period: Period = "window",
    as_of: date | None = None,
    threshold: Fraction = THRESHOLD,
    sliding_days: int = 90,
    label: str = "",
    path: str | Path | None = None,
    columns: Columns | None = None,
) -> alt.VConcatChart:
    """Draw one patient, and write the picture to `path` (.svg, .png or .html, which loads nothing) where one is given.

    Supplies lie in a lane for each ingredient, dark as they were handed over and light as they are used, the higher the
    dose the higher; under them the gaps of their class. Below are PDC to date and PDC of the last `sliding_days` days,
    above the gap days still left before PDC of the whole window falls under `threshold`. Days after `as_of` are not
    known yet. `period` is as `pdc` takes it. What is measured apart are groups, else classes. `patient` may be left out
    where the events are of one; neither id nor name is in the picture unless `label` says it.

    Raises:
        AdherenceError: `patient_unknown`, `patient_ambiguous`, `no_supply`, `limit_exceeded` (more than 2,000 events),
            `window_unknown`, `window_outside_calendar`, `settings_invalid`, `format_unknown`, `file_unwritable`, and
            what reading the table refuses.
    """
    if not 1 <= sliding_days <= 3_660:
        raise AdherenceError("from 1 to 3660 days", "settings_invalid", "sliding_days")
    window = window or Window()
    rows = rows_of(events, patient, columns, window)
    found = course_of(rows, window, period=period, threshold=threshold, as_of=as_of)
    drawn = draw(found, label, sliding_days)
    if path is not None:
        save(drawn, Path(path))
    return drawn
