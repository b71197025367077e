"""What a picture of one patient shows, as plain values: supplies in their lanes, cover, gaps, stays, estimates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import floor
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from chartseal.adherence.pdc import Period, covered, pdc
from chartseal.adherence.plot.days import Days, windows_of
from chartseal.adherence.windows import Window
from chartseal.errors import AdherenceError

MOST_LANES = 30
"""Ingredients of one picture."""


Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Supply:
    """A supply as it was handed over, and the days on which it is used: after those of its ingredient before it.

    `end`, `used_from` and `used_to` are None where nobody knows how long it lasts. Ends are the first day after.
    """

    start: date
    end: date | None
    used_from: date | None
    used_to: date | None
    daily_dose: float | None


@dataclass(frozen=True)
class Lane:
    """The supplies of one ingredient."""

    ingredient: str
    supplies: tuple[Supply, ...]


@dataclass(frozen=True)
class Estimate:
    """PDC of days before `until`, and the gap days still allowed then: below 0 too many; None where PDC slides."""

    until: date
    pdc: float
    gap_days_left: int | None


@dataclass(frozen=True)
class Group:
    """What is measured apart: a medication class, say. Without estimates `reason` says why there are none."""

    name: str
    lanes: tuple[Lane, ...]
    period: Days | None
    covered: tuple[Days, ...]
    gaps: tuple[Days, ...]
    proportion: Mapping[str, Any]
    reason: str | None

    def to_date(self) -> Iterator[Estimate]:
        """PDC of the period's days so far: every week, at both ends of each gap, and on the last day."""
        if self.period is None:
            return
        allowed = self.proportion["gap_days_allowed"]
        for until in self._moments(self.period):
            passed = Days(self.period.start, until)
            gap = _within(self.gaps, passed)
            yield Estimate(until, (passed.length - gap) / passed.length, allowed - gap)

    def sliding(self, days: int) -> Iterator[Estimate]:
        """PDC of the last `days` days, from when the period has as many."""
        if self.period is None:
            return
        for until in self._moments(self.period):
            passed = Days(until - timedelta(days), until)
            if passed.start >= self.period.start:
                yield Estimate(until, (days - _within(self.gaps, passed)) / days, None)

    def _moments(self, period: Days) -> list[date]:
        weeks = {period.start + timedelta(passed) for passed in range(7, period.length, 7)}
        ends = {day for each in self.gaps for day in (each.start, each.end)}
        return sorted((weeks | ends | {period.end}) - {period.start})


def _within(spans: Iterable[Days], days: Days) -> int:
    """How many of the days lie in the spans, which do not overlap."""
    return sum(Days(max(each.start, days.start), min(each.end, days.end)).length for each in spans)


@dataclass(frozen=True)
class Course:
    """All of a picture."""

    groups: tuple[Group, ...]
    stays: tuple[Days, ...]
    follow_up: Days
    observation: Days
    threshold: Fraction
    as_of: date | None

    @property
    def shown(self) -> Days:
        """The observation window, and supplies from up to two months before it and after it."""
        supplies = [each for group in self.groups for lane in group.lanes for each in lane.supplies]
        days = [self.observation.start, self.observation.end, *(each.start for each in supplies)]
        days += [each.used_to for each in supplies if each.used_to is not None]
        before, after = self.observation.start - _MARGIN, self.observation.end + _MARGIN
        return Days(max(min(days), before), min(max(days), after))

    def stays_shown(self) -> list[Days]:
        """Stays, as far as they are shown."""
        shown = self.shown
        found = [Days(max(each.start, shown.start), min(each.end, shown.end)) for each in self.stays]
        return [each for each in found if each.length]


_MARGIN = timedelta(62)


def course_of(rows: pa.Table, window: Window, *, period: Period, threshold: Fraction, as_of: date | None) -> Course:
    """Read one patient's rows (of the kernel's names), measured per group, else per class, else all together.

    Raises:
        AdherenceError: `no_supply` or `limit_exceeded`, what the windows and what `pdc` refuse.
    """
    rows = _grouped(rows, as_of)
    supplies = rows.filter(_is_kind(rows, "supply")).filter(pc.field("date").is_valid()).sort_by("date").to_pylist()
    if not supplies:
        raise AdherenceError("this patient has no supply to draw", "no_supply")
    if len({(row["group"], row.get("ingredient")) for row in supplies}) > MOST_LANES:
        raise AdherenceError(f"a picture holds {MOST_LANES} ingredients at most", "limit_exceeded")
    follow_up, observation = windows_of(window, supplies[0], supplies[0]["date"])
    proportions = pdc(rows, window, period=period, threshold=threshold, as_of=as_of).to_pylist()
    spans = covered(rows, window, period=period, as_of=as_of).to_pylist()
    first = follow_up.start if period == "window" else max(follow_up.start, observation.start)
    counted = [row for row in supplies if first <= row["date"] < observation.end]
    groups = tuple(_group(found, spans, counted) for found in proportions)
    return Course(groups, tuple(_stays(rows, observation)), follow_up, observation, threshold, as_of)


def _grouped(rows: pa.Table, as_of: date | None) -> pa.Table:
    """With a column `group`; without rows that begin after `as_of`."""
    if as_of is not None:
        rows = rows.filter(pc.fill_null(pc.less_equal(rows["date"], pa.scalar(as_of)), True))
    if "group" in rows.column_names:
        return rows
    names = rows["class"] if "class" in rows.column_names else pa.nulls(rows.num_rows, pa.string())
    return rows.append_column("group", names)


def _is_kind(rows: pa.Table, *kinds: str) -> pa.ChunkedArray[Any]:
    """Rows of these kinds; without such a column all are supplies."""
    found = rows["kind"] if "kind" in rows.column_names else pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
    return pc.is_in(pc.fill_null(found, "supply"), pa.array(kinds))


def _stays(rows: pa.Table, observation: Days) -> Iterator[Days]:
    for row in rows.filter(_is_kind(rows, "stay", "snf")).sort_by("date").to_pylist():
        if row["date"] is not None:
            yield Days(row["date"], row.get("end") or observation.end)


def _group(proportion: Mapping[str, Any], spans: Iterable[Mapping[str, Any]], rows: Iterable[Row]) -> Group:
    name = proportion["group"]
    own = [span for span in spans if span["group"] == name]
    covered, gaps = (
        tuple(Days(span["start"], span["end"]) for span in own if span["kind"] == kind) for kind in ("covered", "gap")
    )
    start = proportion["period_start"]
    period = None if start is None else Days(start, start + timedelta(proportion["period_days"]))
    lanes = tuple(_lanes(row for row in rows if row["group"] == name))
    return Group(name or "", lanes, period, covered, gaps, proportion, proportion["reason"])


def _lanes(rows: Iterable[Row]) -> Iterator[Lane]:
    """One an ingredient, by the first supply; a combination `a|b` is in the lanes of both."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        parts = [part.strip() for part in (row.get("ingredient") or "").split("|")]
        for part in dict.fromkeys(filter(None, parts)) or [""]:
            found.setdefault(part, []).append(row)
    return (Lane(ingredient, tuple(_supplies(each))) for ingredient, each in found.items())


def _supplies(rows: Iterable[Row]) -> Iterator[Supply]:
    """Whole days, each supply used after the one before it, as the measure `pdc` reckons (Choudhry et al. 2009)."""
    free = date.min
    for row in rows:
        start, days = row["date"], row.get("days_supply")
        if days is None or not 0 < days <= _MOST_DAYS:
            yield Supply(start, None, None, None, row.get("daily_dose"))
            continue
        length = timedelta(max(floor(days), 1))
        used_from = max(free, start)
        free = used_from + length
        yield Supply(start, start + length, used_from, free, row.get("daily_dose"))


_MOST_DAYS = 3_660
