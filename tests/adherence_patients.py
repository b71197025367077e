"""Random patients for properties of adherence: few days, few doses, many coincidences, and calendars' odd places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from chartseal.adherence import Span, Window
from tests.adherence_reference import Days, Supply

PATIENTS = 50
"""Of one example, so that hypothesis' own work is shared by many."""

COUNT = 100_000
"""Patients of a full drill; the ordinary run takes a hundredth."""

_DURATIONS = (30, 30, 30, 1, 7, 14, 60, 90, 100, 365)
_FRACTIONS = (0.5, 1.5, 30.25, 29.999)
_EPOCH = date(1970, 1, 1)

STARTS = [date(2031, 1, 1), date(2031, 12, 20), date(2032, 2, 20), date(2100, 2, 20), date(1999, 12, 30)]
"""Ordinary, a year's end, a leap day, a century without one, a century."""

Patient = Sequence[Supply]


def examples(scale: float, count: int = COUNT) -> int:
    """How many examples of `PATIENTS` make a drill's share of `count` patients."""
    return max(1, round(count * scale / PATIENTS))


def _supply(number: int, start: date, durations: Sequence[float]) -> Supply:
    """A supply out of one number, which hypothesis draws and shrinks quickly."""
    number, day = divmod(number, 200)
    number, days = divmod(number, len(durations))
    number, dose = divmod(number, 3)
    number, medication = divmod(number, 2)
    ingredient = number % 3
    day += (start - _EPOCH).days
    return Supply(day, durations[days], (1.0, 2.0, 0.5)[dose], "mn"[medication], ("x", "y", "x|z")[ingredient])


@st.composite
def cohorts(draw: st.DrawFn, *, fractions: bool = False, most: int = 10) -> list[Patient]:
    """`PATIENTS` patients with one to `most` supplies each."""
    start = draw(st.sampled_from(STARTS))
    durations = _DURATIONS + _FRACTIONS if fractions else _DURATIONS
    number = st.integers(0, 200 * len(durations) * 3 * 2 * 3 - 1)
    drawn = draw(st.lists(st.lists(number, min_size=1, max_size=most), min_size=PATIENTS, max_size=PATIENTS))
    return [[_supply(each, start, durations) for each in patient] for patient in drawn]


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, Days, Days]:
    """A window in days, and what it means after a first event on day 0: follow-up, observation within it."""
    begin = draw(st.sampled_from([0, 0, 10, 45]))
    length = draw(st.integers(1, 400))
    offset = draw(st.integers(0, length - 1))
    observed = draw(st.integers(1, length - offset))
    window = Window(Span(begin), Span(length), Span(offset), Span(observed))
    return window, (begin, begin + length), (begin + offset, begin + offset + observed)


def moved(days: Days, patient: Patient) -> Days:
    """`days` after the first event of a patient."""
    first = min(each.day for each in patient)
    return days[0] + first, days[1] + first


def table(cohort: Sequence[Patient]) -> pa.Table:
    """Events as the library takes them; patients are numbered."""
    rows = [(at, each) for at, patient in enumerate(cohort) for each in patient]
    return pa.table(
        {
            "patient": pa.array([at for at, _ in rows], pa.int64()),
            "date": pa.array([each.day for _, each in rows], pa.int32()).cast(pa.date32()),
            "days_supply": pa.array([each.days for _, each in rows], pa.float64()),
            "daily_dose": pa.array([each.dose for _, each in rows], pa.float64()),
            "class": [each.medication for _, each in rows],
            "ingredient": [each.ingredient for _, each in rows],
        }
    )


def by_patient(found: pa.Table) -> Iterator[list[Mapping[str, Any]]]:
    """Each patient's rows, in the order of patients."""
    for _, rows in groupby(found.to_pylist(), key=itemgetter("patient")):
        yield list(rows)


def day(number: int) -> date:
    """A day as tables of results give it."""
    return _EPOCH + timedelta(number)
