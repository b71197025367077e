"""What a patient takes and collects: therapies day by day, with the behaviours that measures and alerts must tell."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from chartseal.adherence.generator.draw import Draw
from chartseal.adherence.generator.formulary import AS_NEEDED, LONG_TERM, Product

Behaviour: TypeAlias = Literal[
    "as_needed",
    "days_supply_missing",
    "dose_change",
    "gaps",
    "hospital_stay",
    "never_filled",
    "regular",
    "reversal",
    "stockpiling",
    "stop_restart",
    "switch",
]

BEHAVIOURS: tuple[Behaviour, ...] = get_args(Behaviour)


@dataclass(frozen=True)
class Fill:
    """One supply on offer: collected, or reversed because nobody came for it. `day` counts from the history's start."""

    day: int
    product: Product
    days: int
    collected: bool = True


@dataclass(frozen=True)
class Stay:
    """Days in hospital, from `day` up to but not including `end`."""

    day: int
    end: int


@dataclass(frozen=True)
class Therapy:
    """One class of medication that a patient was prescribed, with what came of it."""

    medication_class: str
    behaviours: frozenset[Behaviour]
    prescribed: int
    fills: tuple[Fill, ...]
    first: Product


def simulate(
    draw: Draw, medication_class: str, behaviours: Collection[Behaviour], days: int, stay: Stay | None
) -> Therapy:
    """A long-term therapy over `days` days; a refill that falls into the stay waits for its end."""
    products = _products(draw, medication_class, behaviours)
    pack = draw.pick((30, 30, 90)) if set(behaviours) <= {"regular", "days_supply_missing"} else 30
    prescribed, turn = draw.between(0, 14), draw.between(3, 5)
    day = prescribed + draw.between(0, 3)
    fills: list[Fill] = []
    supply_end, number = day, 0
    while day < days and "never_filled" not in behaviours:
        product = products[number >= turn]
        if "reversal" in behaviours and number == turn:
            fills.append(Fill(day, product, pack, collected=False))
            day += draw.between(3, 9)
        fills.append(Fill(day, product, pack))
        number += 1
        supply_end = max(supply_end, day) + pack
        day = _out_of(stay, max(day + 1, supply_end + _lateness(draw, behaviours, number - turn)))
    return Therapy(medication_class, frozenset(behaviours), prescribed, tuple(fills), products[0])


def as_needed(draw: Draw, days: int) -> Therapy:
    """Pain relief taken when it hurts: supplies whose length nobody can tell."""
    prescribed = day = draw.between(0, 60)
    fills = []
    while day < days:
        fills.append(Fill(day, AS_NEEDED, 0))
        day += draw.between(40, 150)
    return Therapy(AS_NEEDED.medication_class, frozenset({"as_needed"}), prescribed, tuple(fills), AS_NEEDED)


def stay(draw: Draw, days: int) -> Stay:
    """A week or two in hospital, in the middle of the history."""
    day = draw.between(days // 2, max(days // 2, days * 3 // 4))
    return Stay(day, day + draw.between(6, 14))


def _products(draw: Draw, medication_class: str, behaviours: Collection[Behaviour]) -> tuple[Product, Product]:
    """The product before the turn, and after it."""
    ingredients = LONG_TERM[medication_class]
    first = draw.between(0, len(ingredients) - 1)
    low, high = ingredients[first]
    after = ingredients[(first + 1) % len(ingredients)] if "switch" in behaviours else (low, high)
    return low, after["dose_change" in behaviours]


def _lateness(draw: Draw, behaviours: Collection[Behaviour], since_turn: int) -> int:
    """Days between the end of what was supplied and the next fill; below 0 where it is early."""
    if "stop_restart" in behaviours and since_turn == 0:
        return draw.between(90, 150)
    if "gaps" in behaviours and since_turn in (-1, 3):
        return draw.between(18, 45)
    if "stockpiling" in behaviours and since_turn >= -1:
        return -draw.between(8, 14) * (since_turn + 2)
    return draw.between(-2, 3)


def _out_of(stay: Stay | None, day: int) -> int:
    return stay.end if stay is not None and stay.day <= day < stay.end else day
