"""Signs of poor implementation before a refill is late: sliding windows, and the gap days that a year still allows.

A spell is a stretch of treatment without discontinuation: PDC is of implementation alone, and windows lie within it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from chartseal.adherence.watch.policy import WatchPolicy
from chartseal.adherence.watch.supply import NEVER, Fill, Line, Uncovered, lay_out


class Spell(NamedTuple):
    """Home days from a first fill up to but not including the day that the treatment counts as discontinued."""

    start: int
    end: int
    gaps: Sequence[tuple[int, int]]
    outcome: str
    """How it ends: `discontinued`, or `supply_unknown`."""


def spells(line: Line, permissible: int) -> Iterator[Spell]:
    """The spells of a class; a supply of unknown days ends one, and the next known one begins another."""
    start: int | None = None
    gaps: list[tuple[int, int]] = []
    by_fill = {gap.before.event: gap for gap in line.gaps}
    for fill in line.fills:
        if not fill.is_known:
            if start is not None and start < fill.at:
                yield Spell(start, fill.at, gaps, "supply_unknown")
            start, gaps = None, []
            continue
        start = fill.at if start is None else start
        gap = by_fill.get(fill.event)
        if gap is None:
            continue
        end = gap.start + permissible + 1
        if line.home.day(end) <= gap.closed:
            yield Spell(start, end, [*gaps, (gap.start, end)], "discontinued")
            start, gaps = None, []
        else:
            gaps.append((gap.start, gap.end))


def low_stretches(spell: Spell, policy: WatchPolicy) -> list[tuple[int, int]]:
    """Home days on which the PDC of the `sliding_days` before is under the threshold."""
    length = policy.sliding_days
    slopes = _slopes(spell.gaps, ((0, 1), (length, -1)))
    return _at_least(slopes, most_gap_days(length, policy.threshold) + 1, spell.start + length, spell.end)


def falling_stretches(spell: Spell, policy: WatchPolicy) -> list[tuple[int, int]]:
    """Home days on which the PDC of the `sliding_days` before is by `drop` or more under that of the window before."""
    length = policy.sliding_days
    slopes = _slopes(spell.gaps, ((0, 1), (length, -2), (2 * length, 1)))
    return _at_least(slopes, -(-policy.drop * length // 1), spell.start + 2 * length, spell.end)


def most_gap_days(days: int, threshold: Fraction) -> int:
    """Days without supply, of so many, with which the PDC is not under the threshold; exact, nothing is rounded."""
    return int((1 - threshold) * days // 1)


def _slopes(gaps: Iterable[tuple[int, int]], lags: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where the slope of Σ weight · (days of gaps before the day less `lag`) changes, and by how much."""
    gaps = list(gaps)
    found = []
    for lag, weight in lags:
        for start, end in gaps:
            found += [(start + lag, weight), (end + lag, -weight)]
    found.sort()
    return found


def _at_least(slopes: Sequence[tuple[int, int]], least: int, begin: int, end: int) -> list[tuple[int, int]]:
    """Where in [begin, end) a sum of such slopes is `least` or more: stretches of days, those that touch as one."""
    found: list[tuple[int, int]] = []
    value = slope = 0
    at = slopes[0][0] if slopes else end
    for day, change in [*slopes, (max(end, at), 0)]:
        if day > at:
            start, stop = _where(value, slope, least, day - at)
            start, stop = max(begin, at + start), min(end, at + stop)
            if start < stop:
                if found and found[-1][1] == start:
                    start = found.pop()[0]
                found.append((start, stop))
            value += slope * (day - at)
            at = day
        slope += change
    return found


def _where(value: int, slope: int, least: int, days: int) -> tuple[int, int]:
    """The days of [0, days) on which value + slope · day is `least` or more, as [start, stop)."""
    if slope > 0:
        return max(0, -((value - least) // slope)), days
    if value < least:
        return 0, 0
    return 0, days if slope == 0 else min(days, (value - least) // -slope + 1)


class YearLeft(NamedTuple):
    """A year whose gap days run out, in home days."""

    year: int
    low: int
    """The day before which fewer gap days than the policy wants were left for the first time."""
    lost: int
    """The day before which the threshold went out of reach, or `NEVER`."""
    fills: Sequence[Fill]


_SHORTEST_PERIOD = 91
"""Days from the first fill to the year's end under which PQA measures no PDC."""


def years_left(line: Line, policy: WatchPolicy, first_year: int) -> Iterator[YearLeft]:
    """Calendar years, from the first fill in each to its end, with two days of fills at least, all of known days.

    Source: PQA, Proportion of Days Covered, measure specifications: index date, treatment period, two fills.
    """
    days = [fill.event.day for fill in line.fills]
    last_year = date.fromordinal(days[-1]).year
    for year in range(max(first_year, date.fromordinal(days[0]).year), last_year + 1):
        begin, end = date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal()
        of_year = line.fills[bisect_right(days, begin - 1) : bisect_right(days, end - 1)]
        if len({fill.event.day for fill in of_year}) < 2 or not all(fill.is_known for fill in of_year):
            continue
        if end - of_year[0].event.day >= _SHORTEST_PERIOD:
            yield from _year_left(lay_out([fill.event for fill in of_year], line.home), policy, year, end)


def _year_left(line: Line, policy: WatchPolicy, year: int, end: int) -> Iterator[YearLeft]:
    stop = line.home.number(end)
    allowed = most_gap_days(stop - line.fills[0].at, policy.threshold)
    gaps = Uncovered((gap.start, min(gap.end, stop)) for gap in line.gaps if gap.start < stop)
    low = gaps.nth(max(1, allowed - policy.gap_days_left + 1))
    if low < NEVER:
        lost = gaps.nth(allowed + 1)
        yield YearLeft(year, low + 1, lost + 1 if lost < NEVER else NEVER, line.fills)
