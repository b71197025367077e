"""Bounds on numbers and times to slots."""

from __future__ import annotations

import re
from typing import NamedTuple

from chartseal.predicates import bounds
from chartseal.predicates.bounds import OPEN_HIGH, OPEN_LOW, SCALE
from chartseal.predicates.elements import DAY, INSTANT, INTEGER, MONEY, QUANTITY
from chartseal.predicates.slots import EQUAL, RANGE, Slot
from chartseal.predicates.subjects import Subject, need
from chartseal.predicates.syntax import IntervalText, MomentText, NumberText, Place, PredicateText
from chartseal.predicates.units import convert

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_YEAR = re.compile(r"[0-9]{4}", re.ASCII)
_LO_AND_HI = {QUANTITY, MONEY, DAY}
_LAST_INTEGER = (1 << 31) - 1
_DOMAINS = {
    QUANTITY: (OPEN_LOW, OPEN_HIGH),
    MONEY: (OPEN_LOW, OPEN_HIGH),
    DAY: (bounds.FIRST_DAY, bounds.LAST_DAY),
    INSTANT: (bounds.FIRST_INSTANT, bounds.LAST_INSTANT),
}


class _Bound(NamedTuple):
    """An operand as a number: first and last are apart for a date of a year or a month."""

    family: str
    first: int
    last: int
    unit: str = ""


def ordered_slots(subject: Subject, predicate: PredicateText) -> tuple[Slot, ...]:
    """One slot or two: where claims have a low and a high bound, each side of a range tests its own."""
    operand = predicate.operands[0]
    if predicate.operator == "!=":
        predicate.place.refuse(
            "numbers and times have no !=: only a record's sole code can be denied", "policy_negation"
        )
    if isinstance(operand, IntervalText):
        return _interval_slots(subject, operand)
    found = [_bound(subject, each) for each in _with_units(predicate)]
    first, last = found[0], found[-1]
    if (first.family, first.unit) != (last.family, last.unit):
        predicate.place.refuse("the two bounds are of different kinds or units", "policy_bounds_differ")
    low, high = {
        "<": (OPEN_LOW, first.first - 1),
        "<=": (OPEN_LOW, first.last),
        ">": (first.last + 1, OPEN_HIGH),
        ">=": (first.first, OPEN_HIGH),
        "=": (first.first, first.last),
        "between": (first.first, last.last),
    }[predicate.operator]
    if not (bounds.fits(low) and bounds.fits(high)):
        operand.place.refuse("the bound is beyond what claims can hold", "policy_bound_range")
    check_range(low, high, _domain(subject, first.family), operand.place)
    is_exact = predicate.operator == "=" and low == high
    if first.family in _LO_AND_HI:
        return _lo_and_hi(subject, first, low, high, is_exact)
    return (Slot(EQUAL if is_exact else RANGE, subject.claim(first.family), low, high),)


def _with_units(predicate: PredicateText) -> list[NumberText | MomentText]:
    """The operands; where two bounds share the unit of the second, each has it."""
    found = [each for each in predicate.operands if isinstance(each, NumberText | MomentText)]
    if len(found) != len(predicate.operands):
        predicate.place.refuse("the two bounds are of different kinds or units", "policy_bounds_differ")
    first, last = found[0], found[-1]
    if isinstance(first, NumberText) and isinstance(last, NumberText) and first.unit is None:
        found[0] = first._replace(unit=last.unit, converted_to=last.converted_to)
    return found


def _lo_and_hi(subject: Subject, bound: _Bound, low: int, high: int, is_exact: bool) -> tuple[Slot, ...]:
    """≥ tests the low bound of what is claimed, ≤ its high one; an equality tests both."""
    scale = 0 if bound.family == DAY else SCALE
    lo, hi = (subject.claim(f"{bound.family}-{side}", bound.unit, scale) for side in ("lo", "hi"))
    if is_exact:
        return Slot(EQUAL, lo, low, low), Slot(EQUAL, hi, high, high)
    found = []
    if low != OPEN_LOW:
        found.append(Slot(RANGE, lo, low, OPEN_HIGH))
    if high != OPEN_HIGH:
        found.append(Slot(RANGE, hi, OPEN_LOW, high))
    return tuple(found)


def _interval_slots(subject: Subject, operand: IntervalText) -> tuple[Slot, ...]:
    need(subject, DAY, "a date", operand.place)
    first, last = bounds.day_bounds(operand.first), bounds.day_bounds(operand.last)
    if first is None or last is None:
        operand.place.refuse("no such date", "policy_date")
    if first[0] > last[1]:
        operand.place.refuse("the interval ends before it begins", "policy_unsatisfiable")
    return _lo_and_hi(subject, _Bound(DAY, 0, 0), first[0], last[1], is_exact=True)


def _bound(subject: Subject, operand: NumberText | MomentText) -> _Bound:
    if isinstance(operand, MomentText):
        return _instant(subject, operand) if "T" in operand.text else _day(subject, operand.text, operand.place)
    if operand.unit is not None:
        return _amount(subject, operand)
    families = subject.element.families
    if INTEGER not in families and DAY in families and _YEAR.fullmatch(operand.lexeme):
        return _day(subject, operand.lexeme, operand.place)
    if INTEGER not in families and families & {QUANTITY, MONEY}:
        operand.place.refuse("the number has no unit, which claims have", "policy_unit_missing")
    need(subject, INTEGER, "a number without a unit", operand.place)
    if "." in operand.lexeme:
        operand.place.refuse("the element holds whole numbers", "policy_bound_too_fine")
    number = int(operand.lexeme) + bounds.OFFSET
    return _Bound(INTEGER, number, number)


def _day(subject: Subject, text: str, place: Place) -> _Bound:
    need(subject, DAY, "a date", place)
    found = bounds.day_bounds(text)
    if found is None:
        place.refuse("no such date", "policy_date")
    return _Bound(DAY, *found)


def _instant(subject: Subject, operand: MomentText) -> _Bound:
    need(subject, INSTANT, "a time of day", operand.place)
    if bounds.has_fraction(operand.text):
        operand.place.refuse("claims hold whole seconds", "policy_bound_too_fine")
    number = bounds.instant(operand.text)
    if number is None or bounds.instant_text(number) is None:
        operand.place.refuse("no such moment", "policy_date")
    return _Bound(INSTANT, number, number)


def _amount(subject: Subject, operand: NumberText) -> _Bound:
    unit, place = operand.unit or "", operand.place
    if MONEY in subject.element.families:
        if not _CURRENCY.fullmatch(unit) or operand.converted_to is not None:
            place.refuse("money has an ISO 4217 currency, which is not converted", "policy_currency")
        return _scaled(MONEY, operand.lexeme, unit, place)
    need(subject, QUANTITY, "a quantity", place)
    if operand.converted_to is None:
        return _scaled(QUANTITY, operand.lexeme, unit, place)
    return _scaled(QUANTITY, convert(operand.lexeme, unit, operand.converted_to, place), operand.converted_to, place)


def _scaled(family: str, lexeme: str, unit: str, place: Place) -> _Bound:
    number = bounds.scaled(lexeme)
    if number is None:
        place.refuse(f"claims have {SCALE} decimal places, the bound more", "policy_bound_too_fine")
    return _Bound(family, number, number, unit)


def _domain(subject: Subject, family: str) -> tuple[int, int]:
    if family == INTEGER:
        return subject.element.least_integer + bounds.OFFSET, _LAST_INTEGER + bounds.OFFSET
    return _DOMAINS[family]


def check_range(low: int, high: int, domain: tuple[int, int], place: Place) -> None:
    """Refuse what every value satisfies, and what none does.

    Raises:
        PredicatePolicyError: `policy_vacuous`, `policy_unsatisfiable`.
    """
    least, greatest = domain
    if low > high or high < least or low > greatest:
        place.refuse("no value can satisfy this", "policy_unsatisfiable")
    if low <= least and high >= greatest:
        place.refuse("every value satisfies this", "policy_vacuous")
