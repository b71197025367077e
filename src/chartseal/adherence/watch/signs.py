"""Signs of poor implementation before a refill is late: sliding windows, and the gap days that a year still allows.

A spell is a stretch of treatment without discontinuation: PDC is of implementation alone, and windows lie within it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from chartseal.adherence.watch.policy import WatchPolicy
from chartseal.adherence.watch.supply import NEVER, Fill, Gap, Line, Uncovered, lay_out


class Spell(NamedTuple):
    """Home days from a first fill up to but not including the day that the treatment counts as discontinued."""

    start: int
    end: int
    gaps: Uncovered
    outcome: str
    """How it ends: `discontinued`, or `supply_unknown`."""


def spells(line: Line, permissible: int, since: int) -> Iterator[Spell]:
    """The spells of a class that end on the home day `since` or later.

    A supply of unknown days ends one, and the next known one begins another.
    """
    unknown = [fill for fill in line.fills if not fill.is_known]
    over = [gap for gap in line.gaps if gap.end > gap.start + permissible and _is_over(line, gap, permissible)]
    starts = [(gap.after, bisect_left) for gap in over if gap.after is not None and gap.after.is_known]
    starts += [(line.fills[0], bisect_left)] if line.fills[0].is_known else []
    if unknown:
        starts += [(fill, bisect_right) for before, fill in pairwise(line.fills) if fill.is_known > before.is_known]
    ends = [(gap.start + permissible + 1, "discontinued") for gap in over]
    ends = sorted(ends + [(fill.at, "supply_unknown") for fill in unknown])
    gap_starts = [gap.start for gap in line.gaps]
    for fill, past in sorted(starts, key=lambda each: (each[0].event.day, each[0].event.event)):
        place = past(ends, (fill.at, "supply_unknown"))  # one of unknown days on the same day ends it at once
        end, outcome = ends[place] if place < len(ends) else (NEVER, "discontinued")
        if end < since:
            continue
        inside = line.gaps[bisect_left(gap_starts, fill.at) : bisect_left(gap_starts, end)]
        gaps = Uncovered((gap.start, gap.end if gap.end < end else end) for gap in inside)
        yield Spell(fill.at, end, gaps, outcome)


def _is_over(line: Line, gap: Gap, permissible: int) -> bool:
    """Whether the treatment was discontinued in that gap."""
    return line.home.day(gap.start + permissible + 1) <= gap.closed


def low_stretches(spell: Spell, policy: WatchPolicy, since: int) -> list[tuple[int, int]]:
    """Home days on which the PDC of the `sliding_days` before is under the threshold: stretches that reach `since`."""
    length = policy.sliding_days
    least = most_gap_days(length, policy.threshold) + 1
    return _at_least(spell, ((0, 1), (length, -1)), least, spell.start + length, since)


def falling_stretches(spell: Spell, policy: WatchPolicy, since: int) -> list[tuple[int, int]]:
    """Home days on which the PDC of the `sliding_days` before is by `drop` or more under that of the window before."""
    length = policy.sliding_days
    least = -(-policy.drop * length // 1)
    return _at_least(spell, ((0, 1), (length, -2), (2 * length, 1)), least, spell.start + 2 * length, since)


def most_gap_days(days: int, threshold: Fraction) -> int:
    """Days without supply, of so many, with which the PDC is not under the threshold; exact, nothing is rounded."""
    return int((1 - threshold) * days // 1)


def _at_least(
    spell: Spell, lags: Sequence[tuple[int, int]], least: int, begin: int, since: int
) -> list[tuple[int, int]]:
    """Where in a spell, from `begin` on, Σ weight · (days of gaps before the day less `lag`) is `least` or more.

    Stretches of days, those that touch as one. All that end on `since` or later are found, and whole: it begins the
    day before, or as far before that as the sum is `least` without a break.
    """
    gaps = spell.gaps

    def value(day: int) -> int:
        return sum(weight * gaps.before(day - lag) for lag, weight in lags)

    at, step = max(begin, min(since - 1, spell.end)), lags[-1][0]
    while at > begin and value(at) >= least:
        at, step = max(begin, at - step), 2 * step
    return _stretches(_slopes(gaps.gaps, lags, at), value(at), least, at, spell.end)


def _slopes(gaps: Sequence[tuple[int, int]], lags: Sequence[tuple[int, int]], begin: int) -> list[tuple[int, int]]:
    """Where the slope of that sum changes, and by how much; at `begin`, what it is there."""
    first = bisect_right(gaps, begin - lags[-1][0], key=lambda gap: gap[1])
    found = []
    for lag, weight in lags:
        for start, end in gaps[first:]:
            if end + lag > begin:
                found += [(max(begin, start + lag), weight), (end + lag, -weight)]
    found.sort()
    return found


def _stretches(
    slopes: Iterable[tuple[int, int]], value: int, least: int, begin: int, end: int
) -> list[tuple[int, int]]:
    """Where in [begin, end) a sum of such slopes that begins with `value` is `least` or more."""
    found: list[tuple[int, int]] = []
    slope, at = 0, begin
    for day, change in [*slopes, (end, 0)]:
        if day > end:
            day = end
        if day > at:
            if value >= least or slope > 0:
                start, stop = _where(value, slope, least, day - at)
                if start < stop:
                    begun = found.pop()[0] if found and found[-1][1] == at + start else at + start
                    found.append((begun, at + stop))
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
