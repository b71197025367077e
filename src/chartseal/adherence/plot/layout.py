"""Where things stand in the picture: a lane for each ingredient, under the lanes of a group a strip of its gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from chartseal.adherence.plot.course import Course, Group, Lane, Supply
from chartseal.adherence.plot.days import instant
from chartseal.adherence.plot.words import dose_text, left_text, text

Mark: TypeAlias = dict[str, Any]
"""One row of a layer's data: days as `instant` gives them, heights in lanes from the top."""

PALETTE = ("#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#8C6BB1", "#7F7F7F", "#E69F00")
"""Of classes. Okabe & Ito 2008, told apart by colour-blind readers; their vermillion is kept for gaps."""

GAP = "#D55E00"

_STRIP, _SPACE = 0.55, 0.3


@dataclass(frozen=True)
class Place:
    """A group, its colour, where its lanes begin and where its strip does."""

    group: Group
    colour: str
    top: float

    @property
    def strip(self) -> float:
        """Where the strip of gaps begins."""
        return self.top + len(self.group.lanes)

    @property
    def bottom(self) -> float:
        """Where the strip ends."""
        return self.strip + _STRIP


def places(course: Course) -> tuple[Place, ...]:
    """Groups from the top down."""
    found, top = [], _SPACE
    for number, group in enumerate(course.groups):
        place = Place(group, PALETTE[number % len(PALETTE)], top)
        found.append(place)
        top = place.bottom + _SPACE
    return tuple(found)


def bars(course: Course, placed: tuple[Place, ...]) -> Iterator[Mark]:
    """Each supply twice: dark as it was handed over, light as it is used; the higher the dose, the higher the bar."""
    for place in placed:
        for row, lane in enumerate(place.group.lanes):
            middle, most = place.top + row + 0.55, max((each.daily_dose or 0 for each in lane.supplies), default=0)
            for supply in lane.supplies:
                height = 0.36 * (0.5 + 0.5 * supply.daily_dose / most if supply.daily_dose and most else 1)
                yield from _bar(course, place, lane, supply, middle, height)


def _bar(course: Course, place: Place, lane: Lane, supply: Supply, middle: float, height: float) -> Iterator[Mark]:
    if supply.end is None or supply.used_from is None or supply.used_to is None:
        return
    about = {
        "colour": place.colour,
        "medication": text(lane.ingredient or place.group.name),
        "handed over": f"{supply.start}",
        "days": (supply.end - supply.start).days,
        "used": f"{supply.used_from} to before {supply.used_to}",
        "dose": dose_text(supply.daily_dose),
    }
    for start, end, top, bottom, opacity in (
        (supply.start, supply.end, middle - height, middle, 1.0),
        (supply.used_from, supply.used_to, middle, middle + height, 0.4),
    ):
        start, end = max(start, course.shown.start), min(end, course.shown.end)
        if start < end:
            yield about | {"x": instant(start), "x2": instant(end), "y": top, "y2": bottom, "opacity": opacity}


def unknown(course: Course, placed: tuple[Place, ...]) -> Iterator[Mark]:
    """Supplies of which nobody knows how long they last: a mark on their day."""
    for place in placed:
        for row, lane in enumerate(place.group.lanes):
            for supply in lane.supplies:
                if supply.end is None and course.shown.start <= supply.start < course.shown.end:
                    yield {"x": instant(supply.start), "y": place.top + row + 0.55, "colour": place.colour, "text": "?"}


def doses(course: Course, placed: tuple[Place, ...]) -> Iterator[Mark]:
    """The dose at the first supply of a lane that is shown, and wherever it changes."""
    for place in placed:
        for row, lane in enumerate(place.group.lanes):
            before = None
            for supply in lane.supplies:
                is_shown = course.shown.start <= supply.start < course.shown.end
                if is_shown and supply.daily_dose is not None and supply.daily_dose != before:
                    before = supply.daily_dose
                    yield {"x": instant(supply.start), "y": place.top + row + 0.06, "text": dose_text(before)}


def strips(placed: tuple[Place, ...]) -> Iterator[Mark]:
    """Days covered as a thin line in the class's colour, days without supply as boxes."""
    for place in placed:
        for days in place.group.covered:
            middle = place.strip + _STRIP / 2
            yield box(days.start, days.end, middle - 0.04, middle + 0.04, place.colour) | {"days": days.length}
        for days in place.group.gaps:
            yield box(days.start, days.end, place.strip, place.bottom, GAP) | {"days": days.length}


def gap_labels(course: Course, placed: tuple[Place, ...]) -> Iterator[Mark]:
    """The days of each gap that is wide enough to hold them."""
    for place in placed:
        for days in place.group.gaps:
            if days.length * 70 >= course.shown.length:
                middle = days.start + (days.end - days.start) / 2
                yield {"x": instant(middle), "y": place.strip + _STRIP / 2, "text": f"{days.length}"}


def latest(placed: tuple[Place, ...]) -> Iterator[tuple[Mark, str]]:
    """The gap days left of each group, in its colour, one under the other where lines leave room beside their ends."""
    ends = [(list(place.group.to_date())[-1], place) for place in placed if place.group.period is not None]
    ends.sort(key=lambda each: -each[0].pdc)
    room = 0.14 * len(ends)
    top = room - 0.05 if all(end.pdc > room + 0.05 for end, _ in ends) else 0.95
    for number, (end, place) in enumerate(ends):
        words = f"{text(place.group.name)} {left_text(place.group)}"
        yield {"x": instant(end.until), "y": round(top - 0.14 * number, 3), "text": words}, place.colour


ABOUT = ("medication", "handed over", "days", "used", "dose")
"""What a supply's bar tells when it is pointed at."""


def names(placed: tuple[Place, ...]) -> Iterator[Mark]:
    """What each lane and each strip is, at the left."""
    for place in placed:
        group = text(place.group.name) or "all supplies"
        for row, lane in enumerate(place.group.lanes):
            name = text(lane.ingredient) or ("ingredient unknown" if place.group.name else "all supplies")
            yield {"y": place.top + row + 0.55, "text": name, "colour": "#222222", "opacity": 1.0}
        strip = f"{group}: no estimate" if place.group.period is None else f"{group}: gaps"
        yield {"y": place.strip + _STRIP / 2, "text": strip, "colour": GAP, "opacity": 1.0}


def box(start: date, end: date, y: float, y2: float, colour: str) -> Mark:
    """A rectangle over days."""
    return {"x": instant(start), "x2": instant(end), "y": y, "y2": y2, "colour": colour, "opacity": 1.0}
