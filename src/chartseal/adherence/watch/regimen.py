"""What is taken, and how much of it: stock on hand, use above what was meant, changes of dose and of medication."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby, pairwise

from chartseal.adherence.watch.event import Event
from chartseal.adherence.watch.policy import Kind
from chartseal.adherence.watch.supply import Fill, Line

_DOSES_BACK = 32
"""Fills before a day that are looked at for the dose that was taken then."""


def _day(fill: Fill) -> int:
    return fill.event.day


def overstocked(fills: Sequence[Fill], most: int) -> Iterator[tuple[int, int, int]]:
    """Runs of a product's fills after which more than `most` days are on hand: first, last, home day of the run's end.

    A fill before stock has fallen to `most` again goes on with the run.
    """
    runs: list[tuple[int, int, int]] = []
    for place, fill in enumerate(fills):
        if fill.end - fill.at <= most:
            continue
        first = place
        if runs and fill.at <= runs[-1][2]:
            first = runs.pop()[0]
        runs.append((first, place, fill.end - most))
    return iter(runs)


def overused(fills: Sequence[Fill], ratio: Fraction, window: int) -> Iterator[tuple[int, int, int]]:
    """Runs of a product's fills with more days supplied than days gone by, times `ratio`: as `overstocked`.

    At each fill: Σ days supply of the fills before it, no more than `window` days back, by the days since the first of
    those. It is asked over half a window at least, so that one early refill is no overuse. A run ends with the fill
    at which it is not so, or where the supply is used up.

    Source: CMA1 of Vollmer et al. 2012, BMC Health Serv Res 12:155, as a moving window.
    """
    above, below = ratio.numerator, ratio.denominator
    begun = supplied = 0
    run: tuple[int, int, int] | None = None
    for place, fill in enumerate(fills):
        if place:
            supplied += fills[place - 1].event.days_supply or 0
        while fills[begun].at < fill.at - window:
            supplied -= fills[begun].event.days_supply or 0
            begun += 1
        gone_by = fill.at - fills[begun].at
        is_over = 2 * gone_by >= window and supplied * below > gone_by * above
        if run and (not is_over or fill.at > run[2]):
            yield (run[0], run[1], min(run[2], fill.at))
            run = None
        if is_over:
            run = (run[0] if run else place, place, fill.end)
    if run:
        yield run


def changes_of_dose(fills: Sequence[Fill], since: int) -> Iterator[tuple[Event, Event]]:
    """The last fill with the old daily dose of a product and the first with the new one, from the day `since` on.

    Doses of fills of one day add up; days on which one is unknown are passed over.
    """
    begun = max(0, bisect_left(fills, since, key=_day) - _DOSES_BACK)
    doses = []
    for _, same_day in groupby(fills[begun:], key=_day):
        events = [fill.event for fill in same_day]
        known = [event.daily_dose for event in events if event.daily_dose is not None]
        if len(known) == len(events):
            doses.append((sum(known), events))
    for (before, earlier), (after, later) in pairwise(doses):
        if before != after and later[0].day >= since:
            yield earlier[-1], later[0]


def switches(line: Line, permissible: int, since: int) -> Iterator[tuple[Kind, Event, Event]]:
    """A product that replaces another: the old one's last fill, the new one's first.

    The new one was not in use (its supply ended more than `permissible` home days before, or it is new); the old one
    was, and is not filled again before its own supply and the permissible gap are over: else it was an addition.
    """
    uses = list(line.products.values()) if len(line.products) > 1 else []
    for new in uses:
        for place in range(bisect_left(new, since, key=_day), len(new)):
            fill = new[place]
            if place and new[place - 1].end + permissible >= fill.at:
                continue
            left = [each for old in uses if old is not new and (each := _left(old, fill, permissible))]
            if left:
                last = max(left, key=lambda each: (each.event.day, each.event.event))
                is_other_class = last.event.medication_class != fill.event.medication_class
                yield "class_switch" if is_other_class else "ingredient_switch", last.event, fill.event


def _left(old: Sequence[Fill], begun: Fill, permissible: int) -> Fill | None:
    """The last fill of a product that was in use when another one was begun, and was not filled from then on."""
    place = bisect_left(old, begun.event.day, key=_day)
    if place == 0:
        return None
    last = old[place - 1]
    is_in_use = last.end + permissible >= begun.at
    is_filled_again = place < len(old) and old[place].at < max(last.end, begun.at) + permissible
    return last if is_in_use and not is_filled_again else None
