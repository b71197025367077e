"""Adherence the slow way: one patient, day by day, each definition as its paper puts it.

Nothing here is shared with the library, and nothing is clever; it is what the kernel is compared with.

Days are whole numbers, windows are `(first, end)` without `end`, and None says that there is no such number.

Sources: Dima & Dediu 2017, PLoS ONE 12(4):e0174426; Vollmer et al. 2012, BMC Health Services Research 12:155; AdhereR's
manual for CMA9; Choudhry et al. 2009 and PQA for PDC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

Days = tuple[int, int]


@dataclass(frozen=True)
class Supply:
    """What was handed over on a day, for so many days."""

    day: int
    days: float
    dose: float = 1.0
    medication: str = ""
    ingredient: str = ""


def in_order(supplies: Iterable[Supply]) -> list[Supply]:
    """By day; those of one day by days, dose, medication, ingredient."""
    return sorted(supplies, key=lambda each: (each.day, each.days, each.dose, each.medication, each.ingredient))


def within(supplies: Iterable[Supply], window: Days) -> list[Supply]:
    """Those handed over in the window, in order."""
    return [each for each in in_order(supplies) if each.day in range(*window)]


def up_to(supplies: Iterable[Supply], window: Days) -> list[Supply]:
    """Those in the window, and those of the day that it ends on: they end an interval, and have no day of their own."""
    return [each for each in in_order(supplies) if window[0] <= each.day <= window[1]]


# --- days covered -----------------------------------------------------------------------------------------------


def covered_days(supplies: Iterable[Supply], shift: str) -> set[int]:
    """Each supply covers its whole days, the day it is handed over at least.

    A day that a supply of the same ingredient (or medication, for `class`) covers already is not used up twice: the
    later supply goes on until its days are used. A combination `a|b` is a supply of each.
    """
    pools: dict[str, set[int]] = {}
    for each in in_order(supplies):
        names = {"ingredient": each.ingredient, "class": each.medication, "none": ""}[shift]
        for name in names.split("|"):
            _cover(each, pools.setdefault(name, set()), shifted=shift != "none")
    return set().union(*pools.values())


def _cover(supply: Supply, covered: set[int], *, shifted: bool) -> None:
    left, day = max(1, int(supply.days)), supply.day
    while left:
        if not shifted or day not in covered:
            left -= 1
        covered.add(day)
        day += 1


@dataclass(frozen=True)
class Covered:
    """PDC and what it is made of."""

    fills: Sequence[int]
    period: Days
    covered: int
    allowed: int
    adherent: bool
    supply_end: int


def pdc(
    supplies: Sequence[Supply],
    follow_up: Days,
    window: Days,
    *,
    from_first_fill: bool = False,
    shift: str = "ingredient",
    threshold: Fraction = Fraction(4, 5),
) -> Covered | None:
    """Days of the period that some supply covers, by the days of the period.

    The period is the window, and earlier supplies of the follow-up reach into it; or it begins with the first supply in
    the window, and no earlier one counts.
    """
    counted = within(supplies, window if from_first_fill else (follow_up[0], window[1]))
    if not counted:
        return None
    period = (counted[0].day, window[1]) if from_first_fill else window
    days = set(range(*period))
    covered = covered_days(counted, shift)
    share = Fraction(len(covered & days), len(days))
    allowed = max(gap for gap in range(len(days) + 1) if Fraction(len(days) - gap, len(days)) >= threshold)
    fills = [each.day for each in counted if each.day in days]
    return Covered(fills, period, len(covered & days), allowed, share >= threshold, max(covered) + 1)


# --- CMA ----------------------------------------------------------------------------------------------------------


@dataclass
class Store:
    """What a patient has at home, in days; new supplies are banked, and what is older is used first."""

    same_medication: bool
    dosage: bool
    stock: float = 0.0
    last: Supply | None = None

    def receive(self, supply: Supply) -> None:
        if self.last is not None:
            if self.same_medication and self.last.medication != supply.medication:
                self.stock = 0.0
            if self.dosage:
                self.stock *= self.last.dose / supply.dose
        self.stock += supply.days
        self.last = supply

    def use(self) -> float:
        """The part of a day that the stock covers."""
        used = min(1.0, self.stock)
        self.stock -= used
        return used


def _use(supplies: Sequence[Supply], window: Days, store: Store) -> dict[int, float]:
    """Which part of each day of a window is covered, by the supplies of its days and what was stored before."""
    used = {}
    for day in range(*window):
        for each in in_order(supplies):
            if each.day == day:
                store.receive(each)
        used[day] = store.use()
    return used


def cma(
    number: int,
    supplies: Sequence[Supply],
    follow_up: Days,
    observation: Days,
    *,
    same_medication: bool = False,
    dosage: bool = False,
) -> float | None:
    """CMA1 to CMA9 of a patient."""
    known = up_to(supplies, follow_up)
    seen = up_to(known, observation)
    if number <= 4:
        return _by_supply(number, seen, observation)
    if not any(each.day <= observation[1] for each in known):
        return None
    store = Store(same_medication, dosage)
    if number <= 6:
        return _from_first_event(number, seen, observation, store)
    if number == 9:
        return _by_interval(known, follow_up, observation, store)
    first = min([observation[0], *(each.day for each in known)])
    _use(known, (first, observation[0]), store)
    start = observation[0]
    if number == 8:
        start = min(start + int(store.stock), observation[1])  # whole days; the kernel's may begin within one
    used = _use(known, observation, store)
    days = range(start, observation[1])
    return sum(used[day] for day in days) / len(days) if days else None


def _by_supply(number: int, seen: Sequence[Supply], observation: Days) -> float | None:
    """CMA1 = supplies but the last / first to last event; CMA2 = supplies / first event to end; 3 and 4: at most 1."""
    counted = seen[:-1] if number in (1, 3) else seen
    if not counted:
        return None
    end = seen[-1].day if number in (1, 3) else observation[1]
    if end == seen[0].day:
        return None
    ratio = sum(each.days for each in counted) / (end - seen[0].day)
    return min(1.0, ratio) if number in (3, 4) else ratio


def _from_first_event(number: int, seen: Sequence[Supply], observation: Days, store: Store) -> float | None:
    """CMA5 = days covered from first to last event / those days; CMA6 = from first event to end / those days."""
    if not seen:
        return None
    days = (seen[0].day, seen[-1].day if number == 5 else observation[1])
    if days[0] == days[1]:
        return None
    return sum(_use(seen, days, store).values()) / (days[1] - days[0])


def _by_interval(known: Sequence[Supply], follow_up: Days, observation: Days, store: Store) -> float | None:
    """CMA9: each day weighs as much as its interval's supply lasts, from event to next event (or end of follow-up)."""
    weight: dict[int, float] = {}
    for at, each in enumerate(known):
        store.receive(each)
        end = known[at + 1].day if at + 1 < len(known) else follow_up[1]
        used = [store.use() for _ in range(each.day, end)]
        weight |= {day: sum(used) / len(used) for day in range(each.day, end)}
    days = range(*observation)
    return sum(weight.get(day, 0.0) for day in days) / len(days) if days else None


def mpr(supplies: Sequence[Supply], observation: Days) -> float | None:
    """Days supplied in the window by its days."""
    days = len(range(*observation))
    return sum(each.days for each in within(supplies, observation)) / days if days else None


def windows(start: int, length: int, step: int, end: int) -> list[Days]:
    """Sliding windows of a length that begin every `step` days and lie in what ends at `end`."""
    return [(first, first + length) for first in range(start, end - length + 1, step)]


# --- treatment episodes -------------------------------------------------------------------------------------------


def episodes(
    supplies: Sequence[Supply], follow_up: Days, permissible_gap: int, *, change_starts_anew: bool = False
) -> list[tuple[int, int]]:
    """Treatment episodes as first day and first day without supply (or end of follow-up).

    An episode ends where more than the permissible days pass without any supply at home (Gardarsdottir et al. 2010).
    What comes on the day that follow-up ends still begins one, or says that the one before did not end.
    """
    found: list[tuple[int, int]] = []
    store, start, without, before = Store(False, False), None, 0, ""
    for day in range(follow_up[0], follow_up[1] + 1):
        today = [each for each in in_order(supplies) if each.day == day]
        for each in today:
            changed = change_starts_anew and start is not None and each.medication != before
            if start is not None and (changed or without > permissible_gap):
                found.append((start, day - without))
                start = None
            start, before = day if start is None else start, each.medication
            store.receive(each)
            without = 0
        if start is not None and day < follow_up[1]:
            without = 0 if store.use() >= 1 else without + 1
    if start is not None:
        found.append((start, follow_up[1] - without if without > permissible_gap else follow_up[1]))
    return found
