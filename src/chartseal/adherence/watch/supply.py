"""Supplies of one class laid out over days at home: what covers which day, where it ran out, what was carried over.

Everything is counted in home days, the days that a patient spends neither in hospital nor in a nursing facility, where
the ward gives the medication: a stay neither uses up a supply nor makes a refill late, and a supply's end moves by it.
Supplies of one product (class and ingredient) are shifted forward where they overlap, again and again; a combination
`a|b` is a supply of each; a day that several products cover counts once (PQA's proportion of days covered; CMS'
inpatient stay adjustment).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import NamedTuple

from chartseal.adherence.watch.event import Event

NEVER = 1 << 40
"""A day that does not come."""


class HomeDays:
    """Days numbered so that those of stays take no number: a day at home keeps its ordinal less the stay days before.

    `number(day)` is for any day (a day of a stay has the number of the first day after it); `day(number)` is the day at
    home that has it. Stays overlap as they like; one without an end goes on.
    """

    def __init__(self, stays: Iterable[tuple[int, int | None]]) -> None:
        self.stays = _merged(sorted((start, NEVER if end is None else end) for start, end in stays))
        self._starts = [start for start, _ in self.stays]
        self._numbers: list[int] = []  # each stay's first day's
        self._gone = [0]  # stay days before each stay
        for start, end in self.stays:
            self._numbers.append(start - self._gone[-1])
            self._gone.append(self._gone[-1] + end - start)

    def number(self, day: int) -> int:
        """The home day that this day is, or the next one after its stay."""
        if not self.stays:
            return day
        at = bisect_right(self._starts, day) - 1
        if at >= 0 and day < self.stays[at][1]:
            return self._numbers[at]
        return day - self._gone[at + 1]

    def day(self, number: int) -> int:
        """The day at home of that number; `NEVER` or later after a stay that goes on."""
        return number + self._gone[bisect_right(self._numbers, number)] if self.stays else number

    def is_stay(self, day: int) -> bool:
        """Whether the patient is in a stay on that day."""
        at = bisect_right(self._starts, day) - 1
        return at >= 0 and day < self.stays[at][1]


def _merged(ordered: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Intervals in order, those that overlap or touch as one."""
    found: list[tuple[int, int]] = []
    for start, end in ordered:
        if found and start <= found[-1][1]:
            if end > found[-1][1]:
                found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


class Fill(NamedTuple):
    """One supply, in home days: it covers `start` up to but not including `end`, shifted by what was in stock."""

    at: int
    """The home day of the fill itself."""
    start: int
    end: int
    event: Event
    is_known: bool
    """Whether its days are known; one of unknown days is laid out without any."""


class Gap(NamedTuple):
    """Home days without supply, from `start` up to but not including `end` (`NEVER` where nothing followed)."""

    start: int
    end: int
    before: Fill
    """The last fill before it."""
    after: Fill | None
    """The one that ended it."""

    @property
    def closed(self) -> int:
        """The day of the fill that ended it, or `NEVER`."""
        return self.after.event.day if self.after else NEVER


@dataclass(frozen=True)
class Line:
    """The supplies of one class, by day (of one day: the known first, then by reference), laid out."""

    home: HomeDays
    fills: Sequence[Fill]
    products: Mapping[tuple[str, str], Sequence[Fill]]
    """Those of known days, by product."""
    gaps: Sequence[Gap]
    """In order; the last is open unless the days of the last fill are unknown."""


def lay_out(supplies: Iterable[Event], home: HomeDays) -> Line:
    """Lay out the supplies of one class.

    From a supply of unknown days up to the next day with a known one, nothing is known: no gap is told there.
    """
    fills: list[Fill] = []
    products: dict[tuple[str, str], list[Fill]] = {}
    number = home.number if home.stays else None
    for event in _ordered(supplies):
        at = number(event.day) if number else event.day
        days = event.days_supply
        if days is None:
            fills.append(Fill(at, at, at, event, False))
            continue
        for ingredient in event.ingredient.split("|"):
            same = products.setdefault((event.medication_class, ingredient), [])
            start = same[-1].end if same and same[-1].end > at else at
            fill = Fill(at, start, start + days, event, True)
            fills.append(fill)
            same.append(fill)
    return Line(home, fills, products, list(_gaps(fills)))


def _ordered(supplies: Iterable[Event]) -> list[Event]:
    """By day; of one day the known first, then by reference."""
    ordered = sorted(supplies, key=itemgetter(3, 1))
    if any(event.days_supply is None for event in ordered):
        ordered.sort(key=lambda event: (event.day, event.days_supply is None))
    return ordered


def _gaps(fills: Sequence[Fill]) -> Iterator[Gap]:
    covered = 0
    for before, after in pairwise(fills):
        if before.end > covered:
            covered = before.end
        if after.at > covered and before.is_known:
            yield Gap(covered, after.at, before, after)
    if fills and fills[-1].is_known:
        yield Gap(max(covered, fills[-1].end), NEVER, fills[-1], None)


class Uncovered:
    """Home days without supply, counted: how many before a day, and on which day the n-th falls."""

    def __init__(self, gaps: Iterable[tuple[int, int]]) -> None:
        self.gaps = list(gaps)
        self._starts = [start for start, _ in self.gaps]
        self._before = [0, *accumulate(end - start for start, end in self.gaps)]

    def before(self, day: int) -> int:
        """How many there are before that home day."""
        at = bisect_left(self._starts, day)
        if at == 0:
            return 0
        return self._before[at - 1] + min(day, self.gaps[at - 1][1]) - self.gaps[at - 1][0]

    def nth(self, count: int) -> int:
        """The home day that is the n-th of them, from 1; `NEVER` where there are fewer."""
        if not 0 < count <= self._before[-1]:
            return NEVER
        at = bisect_left(self._before, count) - 1
        return self._starts[at] + count - self._before[at] - 1
